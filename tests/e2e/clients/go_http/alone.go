package main

import (
	"crypto/tls"
	"net/http"
	"os"
)

// With ALPN in the environment the client offers this protocol alone, as x/net/http2 and gRPC do with h2.
func init() {
	offered := os.Getenv("ALPN")
	if offered == "" {
		return
	}
	config := &tls.Config{NextProtos: []string{offered}}
	transport := http.DefaultTransport.(*http.Transport)
	transport.DialTLSContext = (&tls.Dialer{Config: config}).DialContext
	transport.ForceAttemptHTTP2 = offered == "h2"
}
