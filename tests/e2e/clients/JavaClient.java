// java.net.http.HttpClient ("new") and java.net.HttpURLConnection ("old").
// Usage: JavaClient CASES new|old. The formats are described in case_list.py.

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

public class JavaClient {
    static final String PATTERN = "lunar-0123456789abcdefghijklmnopqrstuvwxyz\n";

    record Case(String name, String method, String url, Map<String, String> headers, byte[] body, List<String> flags) {
        static Case parse(String line) {
            String[] part = line.split("\t", -1);
            Map<String, String> headers = new TreeMap<>();
            for (String field : part[3].split("\u001f")) {
                int colon = field.indexOf(": ");
                if (colon > 0) headers.put(field.substring(0, colon), field.substring(colon + 2));
            }
            return new Case(part[0], part[1], part[2], headers, part[4].equals("-") ? null : pattern(Integer.parseInt(part[4])),
                            List.of(part[5].split(",")));
        }

        static byte[] pattern(int size) {
            byte[] body = new byte[size];
            for (int i = 0; i < size; ++i) body[i] = (byte) PATTERN.charAt(i % PATTERN.length());
            return body;
        }

        // The text of a flag NAME=TEXT.
        String flag(String name) {
            for (String flag : flags) {
                if (flag.startsWith(name + "=")) return flag.substring(name.length() + 1);
            }
            return null;
        }

        double flag(String name, double otherwise) {
            return flag(name) == null ? otherwise : Double.parseDouble(flag(name));
        }

        Duration timeout() {
            return Duration.ofMillis((long) (1000 * flag("timeout", 10)));
        }

        // Requests at once, {} in the URL being the number of each; 0: it is one request.
        int times() {
            return (int) flag("times", 0);
        }
    }

    // What one client saw; printed as JSON.
    static class Seen {
        final Map<String, String> members = new TreeMap<>();
        final MessageDigest digest;
        long size, last, apart;

        Seen(Case c) throws Exception {
            digest = MessageDigest.getInstance("SHA-256");
            put("name", c.name);
        }

        void put(String name, Object value) {
            members.put(name, value instanceof Number ? value.toString() : quote(String.valueOf(value)));
        }

        void read(InputStream stream) throws Exception {
            byte[] buffer = new byte[1 << 16];
            for (int got; (got = stream.read(buffer)) > 0; size += got) {
                digest.update(buffer, 0, got);
                long now = System.nanoTime();
                if (last != 0 && now - last > 150_000_000) ++apart;
                last = now;
            }
        }

        void headers(Map<String, List<String>> fields) {
            TreeMap<String, List<String>> sorted = new TreeMap<>(java.util.Comparator.nullsFirst(java.util.Comparator.naturalOrder()));
            sorted.putAll(fields);
            List<String> lines = new ArrayList<>();
            sorted.forEach((name, values) -> values.forEach(value -> lines.add(quote(name + ": " + value))));
            members.put("headers", lines.toString());
        }

        void fail(Throwable error) {
            List<String> names = new ArrayList<>();
            for (; error != null; error = error.getCause()) names.add(quote(error.getClass().getName()));
            members.put("error", names.toString());
        }

        void print(Case c) {
            String body = "{\"size\":" + size + ",\"sha256\":\"" + HexFormat.of().formatHex(digest.digest()) + "\"";
            members.put("body", body + (c.flags.contains("stream") ? ",\"one by one\":" + apart : "") + "}");
            List<String> parts = new ArrayList<>();
            members.forEach((name, value) -> parts.add(quote(name) + ":" + value));
            System.out.println("{" + String.join(",", parts) + "}");
        }

        static String quote(String text) {
            return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
        }
    }

    // Trusts what the JDK brings along, and not what the command line added.
    static SSLContext untrusting() throws Exception {
        java.security.KeyStore empty = java.security.KeyStore.getInstance(
            Path.of(System.getProperty("java.home"), "lib/security/cacerts").toFile(), "changeit".toCharArray());
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(empty);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }

    static class AnotherCertificate extends CertificateException {}

    // Trusts a server with this certificate alone, whose SHA-256 it is.
    record Pin(String sha256) implements X509TrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String type) {}
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
        public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
            try {
                byte[] shown = MessageDigest.getInstance("SHA-256").digest(chain[0].getEncoded());
                if (!HexFormat.of().formatHex(shown).equals(sha256)) throw new AnotherCertificate();
            } catch (java.security.NoSuchAlgorithmException error) {
                throw new CertificateException(error);
            }
        }
    }

    static SSLContext pinned(String sha256) throws Exception {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new X509TrustManager[] {new Pin(sha256)}, null);
        return context;
    }

    static HttpClient client(boolean follow, SSLContext tls) throws Exception {
        HttpClient.Builder builder = HttpClient.newBuilder().followRedirects(follow ? HttpClient.Redirect.NORMAL : HttpClient.Redirect.NEVER);
        return (tls == null ? builder : builder.sslContext(tls)).build();
    }

    // One that has a trust of its own is for one case.
    static HttpClient clientFor(Case c, HttpClient plain, HttpClient following) throws Exception {
        if (c.flag("pin") != null) return client(false, pinned(c.flag("pin")));
        return c.flags.contains("untrusted") ? client(false, untrusting()) : c.flags.contains("follow") ? following : plain;
    }

    static void observeNew(HttpClient client, Case c, Seen seen) throws Exception {
        HttpRequest.BodyPublisher publisher = HttpRequest.BodyPublishers.noBody();
        if (c.body != null) {
            publisher = c.flags.contains("chunked") ? HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(c.body))
                                                    : HttpRequest.BodyPublishers.ofByteArray(c.body);
        }
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(c.url)).method(c.method, publisher).timeout(c.timeout());
        c.headers.forEach(request::header);
        if (c.flags.contains("expect")) request.expectContinue(true);
        HttpResponse<InputStream> response = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
        seen.put("status", response.statusCode());
        seen.put("version", response.version());
        seen.put("final", response.uri());
        seen.headers(response.headers().map());
        try (InputStream stream = response.body()) {
            seen.read(stream);
        }
    }

    static void observeMany(HttpClient client, Case c, Seen seen) throws Exception {
        long begin = System.nanoTime();
        List<CompletableFuture<HttpResponse<byte[]>>> running = new ArrayList<>();
        for (int number = 0; number < c.times(); ++number) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(c.url.replace("{}", String.valueOf(10 + number)))).timeout(c.timeout()).build();
            running.add(client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray()));
        }
        List<String> answers = new ArrayList<>();
        for (CompletableFuture<HttpResponse<byte[]>> one : running) {
            HttpResponse<byte[]> response = one.get();
            String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(response.body()));
            answers.add(Seen.quote(response.statusCode() + " " + response.version() + " " + response.body().length + " " + digest));
        }
        seen.members.put("answers", answers.toString());
        seen.members.put("together", String.valueOf(System.nanoTime() - begin < c.times() * 150_000_000L));
    }

    static void observeOld(Case c, Seen seen) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL(c.url).openConnection();
        if (c.flags.contains("untrusted")) ((HttpsURLConnection) connection).setSSLSocketFactory(untrusting().getSocketFactory());
        connection.setRequestMethod(c.method);
        connection.setInstanceFollowRedirects(c.flags.contains("follow"));
        connection.setReadTimeout((int) c.timeout().toMillis());
        c.headers.forEach(connection::setRequestProperty);
        if (c.body != null) {
            connection.setDoOutput(true);
            if (c.flags.contains("chunked")) connection.setChunkedStreamingMode(50000);
            try (OutputStream out = connection.getOutputStream()) {
                out.write(c.body);
            }
        }
        seen.put("status", connection.getResponseCode());
        seen.headers(connection.getHeaderFields());
        InputStream stream = connection.getResponseCode() >= 400 ? connection.getErrorStream() : connection.getInputStream();
        if (stream != null) {
            try (stream) {
                seen.read(stream);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        HttpClient plain = client(false, null), following = client(true, null);
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            Case c = Case.parse(line);
            Seen seen = new Seen(c);
            try {
                if (c.times() > 0) {
                    observeMany(plain, c, seen);
                } else if (arguments[1].equals("old")) {
                    observeOld(c, seen);
                } else {
                    observeNew(clientFor(c, plain, following), c, seen);
                }
            } catch (Exception error) {
                seen.fail(error);
            }
            seen.print(c);
        }
    }
}
