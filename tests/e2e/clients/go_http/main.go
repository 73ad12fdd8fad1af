// Go's net/http; the formats of cases and observations are described in case_list.py.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const pattern = "lunar-0123456789abcdefghijklmnopqrstuvwxyz\n"

type testCase struct {
	name, method, url string
	headers           [][2]string
	body              []byte
	flags             map[string]bool
	timeout           time.Duration
	pin               string // SHA-256 of the only certificate to accept; empty: any that is valid
	times             int    // requests at once, {} in the URL being the number of each; 0: it is one request
}

func parse(line string) testCase {
	part := strings.Split(line, "\t")
	c := testCase{name: part[0], method: part[1], url: part[2], flags: map[string]bool{}, timeout: 10 * time.Second}
	for _, field := range strings.Split(part[3], "\x1f") {
		if name, value, found := strings.Cut(field, ": "); found {
			c.headers = append(c.headers, [2]string{name, value})
		}
	}
	if part[4] != "-" {
		size, _ := strconv.Atoi(part[4])
		c.body = bytes.Repeat([]byte(pattern), size/len(pattern)+1)[:size]
	}
	for _, flag := range strings.Split(part[5], ",") {
		c.flags[flag] = true
		if name, text, found := strings.Cut(flag, "="); found && name == "timeout" {
			seconds, _ := strconv.ParseFloat(text, 64)
			c.timeout = time.Duration(seconds * float64(time.Second))
		} else if found && name == "pin" {
			c.pin = text
		} else if found && name == "times" {
			c.times, _ = strconv.Atoi(text)
		}
	}
	return c
}

// The types along the chain of causes: texts may hold ports and times.
func errorClass(err error) []string {
	var names []string
	for ; err != nil; err = errors.Unwrap(err) {
		name := fmt.Sprintf("%T", err)
		var number syscall.Errno
		if direct, is := err.(syscall.Errno); is {
			number = direct
			name += ":" + strconv.Itoa(int(number))
		} else if name == "*errors.errorString" {
			name += ":" + err.Error()
		}
		names = append(names, name)
	}
	return names
}

func flat(header http.Header) [][2]string {
	fields := [][2]string{}
	for name, values := range header {
		for _, value := range values {
			fields = append(fields, [2]string{name, value})
		}
	}
	sort.SliceStable(fields, func(i, j int) bool { return fields[i][0] < fields[j][0] })
	return fields
}

func request(c testCase, seen map[string]any) *http.Request {
	var payload io.Reader
	if c.body != nil {
		payload = bytes.NewReader(c.body)
		if c.flags["chunked"] {
			payload = io.MultiReader(payload)
		}
	}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		host, port, _ := net.SplitHostPort(info.Conn.RemoteAddr().String())
		seen["peer"] = []string{host, port}
		seen["connection"] = info.Conn.LocalAddr().String()
	}}
	req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), c.method, c.url, payload)
	for _, field := range c.headers {
		req.Header[field[0]] = append(req.Header[field[0]], field[1])
	}
	if c.flags["expect"] {
		req.Header.Set("Expect", "100-continue")
	}
	return req
}

func readBody(c testCase, body io.Reader) (map[string]any, error) {
	digest, size, pieces := sha256.New(), 0, 0
	last := time.Time{}
	buffer := make([]byte, 1<<16)
	var err error
	for err == nil {
		var got int
		got, err = body.Read(buffer)
		digest.Write(buffer[:got])
		size += got
		if got > 0 {
			now := time.Now()
			if !last.IsZero() && now.Sub(last) > 150*time.Millisecond {
				pieces++
			}
			last = now
		}
	}
	if err == io.EOF {
		err = nil
	}
	seen := map[string]any{"size": size, "sha256": hex.EncodeToString(digest.Sum(nil))}
	if c.flags["stream"] {
		seen["one by one"] = pieces
	}
	return seen, err
}

func pinned(pin string) func([][]byte, [][]*x509.Certificate) error {
	return func(shown [][]byte, _ [][]*x509.Certificate) error {
		if sum := sha256.Sum256(shown[0]); hex.EncodeToString(sum[:]) != pin {
			return errors.New("another certificate than the pinned one")
		}
		return nil
	}
}

func observe(client http.Client, c testCase) map[string]any {
	seen := fetch(client, c)
	delete(seen, "connection")
	return seen
}

func observeMany(client http.Client, c testCase) map[string]any {
	begin, answers, connections := time.Now(), make([]map[string]any, c.times), map[any]bool{}
	var all sync.WaitGroup
	for number := range answers {
		all.Add(1)
		go func(number int) {
			defer all.Done()
			one := c
			one.url = strings.Replace(c.url, "{}", strconv.Itoa(10+number), 1)
			answers[number] = fetch(client, one)
		}(number)
	}
	all.Wait()
	for _, answer := range answers {
		connections[answer["connection"]] = true
		delete(answer, "connection")
	}
	together := time.Since(begin) < time.Duration(c.times)*150*time.Millisecond
	return map[string]any{"name": c.name, "answers": answers, "connections": len(connections), "together": together}
}

func fetch(client http.Client, c testCase) map[string]any {
	seen := map[string]any{"name": c.name}
	if !c.flags["follow"] {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	client.Timeout = c.timeout
	if c.flags["untrusted"] {
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
	}
	if c.pin != "" {
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{VerifyPeerCertificate: pinned(c.pin)}, ForceAttemptHTTP2: true}
	}
	response, err := client.Do(request(c, seen))
	if err != nil {
		seen["error"] = errorClass(err)
		return seen
	}
	defer response.Body.Close()
	body, err := readBody(c, response.Body)
	if err != nil {
		seen["error"] = errorClass(err)
	}
	seen["body"], seen["status"], seen["version"] = body, response.Status, response.Proto
	seen["headers"], seen["trailers"] = flat(response.Header), flat(response.Trailer)
	return seen
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ExpectContinueTimeout = 10 * time.Second
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		c, how := parse(lines.Text()), observe
		if c.times > 0 {
			how = observeMany
		}
		out, _ := json.Marshal(how(http.Client{Transport: transport}, c))
		fmt.Println(string(out))
	}
}
