// Memory that the sessions of a thread use one after the other, so that an idle one has none of it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <vector>

#include "agent/http/h2_fields.h"

namespace lunar::http {

struct H2Scratch {
  H2FieldBlock block;             // a header block that is coming in
  H1Head incoming;                // the head that becomes of it, until it has been told
  H2FieldBlock outgoing;          // a head that is being submitted
  std::vector<nghttp2_nv> pairs;  // the same for the library
};

// Of this thread.
[[nodiscard]] inline H2Scratch& h2_scratch() {
  thread_local H2Scratch scratch;
  return scratch;
}

}  // namespace lunar::http
