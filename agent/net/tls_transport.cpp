#include "agent/net/tls_transport.h"

#include <openssl/bio.h>

#include <algorithm>

namespace lunar {

OpensslHandle<bio_st> TlsTransport::open() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory of an engine");
    if (made == nullptr) return made;
    BIO_meth_set_read_ex(made, read);
    BIO_meth_set_write_ex(made, write);
    BIO_meth_set_ctrl(made, control);
    return made;
  }();
  OpensslHandle<bio_st> bio(method == nullptr ? nullptr : BIO_new(method));
  if (!bio) return nullptr;
  BIO_set_data(bio.get(), this);
  BIO_set_init(bio.get(), 1);
  return bio;
}

void TlsTransport::take(size_t bytes) {
  taken_ += std::min(bytes, output_.size() - taken_);
  if (taken_ == output_.size())
    std::string().swap(output_);  // clear() would keep the memory
  else if (taken_ >= output_.size() - taken_)
    output_.erase(0, taken_);  // moves no more than was taken, so that an output that never gets empty stays small
  else
    return;
  taken_ = 0;
}

int TlsTransport::read(bio_st* bio, char* into, size_t size, size_t* count) {
  std::string_view& input = static_cast<TlsTransport*>(BIO_get_data(bio))->input;
  BIO_clear_retry_flags(bio);
  *count = input.copy(into, size);
  input.remove_prefix(*count);
  if (*count > 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

int TlsTransport::write(bio_st* bio, const char* bytes, size_t size, size_t* count) {
  static_cast<TlsTransport*>(BIO_get_data(bio))->output_.append(bytes, size);
  *count = size;
  return 1;
}

long TlsTransport::control(bio_st* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace lunar
