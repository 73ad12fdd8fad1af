// Load against one HTTP origin, recorded operation by operation.
//
// Usage: load ADDRESS:PORT fresh=RATE kept=N every=MS          until standard input ends
//
//	load ADDRESS:PORT soak=REQUESTS connections=N workers=W
//
// `fresh` opens RATE connections a second, one request each; `kept` holds N keep-alive connections
// with one request each every MS milliseconds, and opens a new one when one ends. One line an
// operation: kind, start (CLOCK_MONOTONIC, ns), connect (µs, -1 for a connection used again), whole
// operation (µs), and what failed or "-".
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	request  = "GET /load HTTP/1.1\r\nHost: load.example.com\r\n\r\n"
	patience = 15 * time.Second
)

var (
	target string
	lines  = make(chan string, 1<<16)
)

func monotonic() int64 {
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

func failure(stage string, err error) string {
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		return fmt.Sprintf("%s:errno-%d", stage, int(number))
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return stage + ":closed"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return stage + ":timeout"
	}
	return stage + ":" + strings.ReplaceAll(err.Error(), " ", "_")
}

type connection struct {
	net.Conn
	reader *bufio.Reader
}

func dial() (*connection, int64, error) {
	begin := monotonic()
	made, err := net.DialTimeout("tcp", target, patience)
	took := (monotonic() - begin) / 1000
	if err != nil {
		return nil, took, err
	}
	return &connection{made, bufio.NewReader(made)}, took, nil
}

// One request and its answer; "-" or what failed.
func (c *connection) exchange() string {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte(request)); err != nil {
		return failure("write", err)
	}
	if _, err := c.reader.Peek(1); err != nil {
		return failure("unanswered", err)
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return failure("head", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return failure("body", err)
	}
	if response.StatusCode != 200 || string(body) != "load\n" {
		return fmt.Sprintf("answer:%d", response.StatusCode)
	}
	return "-"
}

func record(kind string, begin, connect int64, result string) {
	lines <- fmt.Sprintf("%s %d %d %d %s\n", kind, begin, connect, (monotonic()-begin)/1000, result)
}

func fresh() {
	begin := monotonic()
	c, took, err := dial()
	if err != nil {
		record("fresh", begin, took, failure("connect", err))
		return
	}
	defer c.Close()
	record("fresh", begin, took, c.exchange())
}

func kept(every time.Duration, offset time.Duration, stop chan struct{}) {
	var c *connection
	next := time.Now().Add(offset)
	for {
		select {
		case <-stop:
			if c != nil {
				c.Close()
			}
			return
		case <-time.After(time.Until(next)):
		}
		next = next.Add(every)
		begin, took := monotonic(), int64(-1)
		if c == nil {
			var err error
			if c, took, err = dial(); err != nil {
				record("kept", begin, took, failure("connect", err))
				c = nil
				continue
			}
		}
		result := c.exchange()
		record("kept", begin, took, result)
		if result != "-" {
			c.Close()
			c = nil
		}
	}
}

func steady(rate, keep int, every time.Duration) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := 0; i < keep; i++ {
		all.Add(1)
		go func(offset time.Duration) {
			defer all.Done()
			kept(every, offset, stop)
		}(every * time.Duration(i) / time.Duration(keep))
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	begin := time.Now()
	for i := 0; ; i++ {
		due := time.Hour
		if rate > 0 {
			due = time.Until(begin.Add(time.Second * time.Duration(i) / time.Duration(rate)))
		}
		select {
		case <-stop:
			all.Wait()
			return
		case <-time.After(due):
			all.Add(1)
			go func() {
				defer all.Done()
				fresh()
			}()
		}
	}
}

// Workers that send requests one after another, each on a share of the connections.
func soak(requests, connections, workers int) {
	var all sync.WaitGroup
	var failed, done int64
	each := requests / connections
	todo := make(chan int, connections)
	for i := 0; i < connections; i++ {
		todo <- each
	}
	close(todo)
	begin := monotonic()
	for i := 0; i < workers; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for count := range todo {
				c, _, err := dial()
				if err != nil {
					atomic.AddInt64(&failed, int64(count))
					fmt.Fprintln(os.Stderr, failure("connect", err))
					continue
				}
				for ; count > 0; count-- {
					if result := c.exchange(); result != "-" {
						atomic.AddInt64(&failed, int64(count))
						fmt.Fprintln(os.Stderr, result)
						break
					}
					atomic.AddInt64(&done, 1)
				}
				c.Close()
			}
		}()
	}
	all.Wait()
	fmt.Printf("%d %d %d\n", done, failed, (monotonic()-begin)/1000000)
}

func main() {
	target = os.Args[1]
	option := map[string]int{"every": 100, "workers": 32}
	for _, argument := range os.Args[2:] {
		name, value, _ := strings.Cut(argument, "=")
		number, err := strconv.Atoi(value)
		if err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			os.Exit(2)
		}
		option[name] = number
	}
	if option["soak"] > 0 {
		soak(option["soak"], option["connections"], option["workers"])
		return
	}
	written := make(chan struct{})
	go func() {
		out := bufio.NewWriter(os.Stdout)
		for line := range lines {
			out.WriteString(line)
		}
		out.Flush()
		close(written)
	}()
	steady(option["fresh"], option["kept"], time.Duration(option["every"])*time.Millisecond)
	close(lines)
	<-written
}
