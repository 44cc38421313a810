// Package lines serves the requests that tests/clients/lines.py describes.
package lines

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const patience = 60 * time.Second

// Record is one to send, or one that was read at an offset. Null is nil.
type Record struct {
	Partition int
	Offset    int64
	Millis    int64
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Header has a name and bytes, or nil.
type Header struct {
	Name  string
	Value []byte
}

// Lines are the requests that come in and the answers that go out.
type Lines struct {
	in  *bufio.Reader
	out *bufio.Writer
}

// Answer carries a request out and prints what it has to say.
type Answer func(ctx context.Context, words []string) error

// Serve answers requests until there are no more.
func Serve(answerer func(*Lines) Answer) {
	l := &Lines{bufio.NewReaderSize(os.Stdin, 1<<22), bufio.NewWriter(os.Stdout)}
	answer := answerer(l)
	for {
		words, err := l.words()
		if err != nil {
			return
		}
		if err := l.inTime(answer, words); err != nil {
			l.Print("!" + strings.ReplaceAll(err.Error(), "\n", " "))
		}
		l.Print(".")
		l.out.Flush()
	}
}

func (l *Lines) inTime(answer Answer, words []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return answer(ctx, words)
}

func (l *Lines) words() ([]string, error) {
	line, err := l.in.ReadString('\n')
	return strings.Split(strings.TrimSuffix(line, "\n"), "\t"), err
}

// Print writes a line of the answer.
func (l *Lines) Print(words ...any) {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = fmt.Sprint(word)
	}
	l.out.WriteString(strings.Join(texts, "\t") + "\n")
}

// PrintRecord writes a record that was read.
func (l *Lines) PrintRecord(r Record) {
	words := []any{r.Partition, r.Offset, r.Millis, written(r.Key), written(r.Value)}
	for _, header := range r.Headers {
		words = append(words, header.Name, written(header.Value))
	}
	l.Print(words...)
}

// Records takes those that follow a request to send them.
func (l *Lines) Records(count string) ([]Record, error) {
	records := make([]Record, Number(count))
	for i := range records {
		words, err := l.words()
		if err != nil {
			return nil, err
		}
		records[i] = record(words)
	}
	return records, nil
}

func record(words []string) Record {
	r := Record{Partition: Number(words[0]), Millis: int64(Number(words[1])), Key: parsed(words[2]), Value: parsed(words[3])}
	for at := 4; at < len(words); at += 2 {
		r.Headers = append(r.Headers, Header{words[at], parsed(words[at+1])})
	}
	return r
}

// Number is what a word of a request counts.
func Number(word string) int {
	number, err := strconv.Atoi(word)
	if err != nil {
		panic(err) // the requests are our own
	}
	return number
}

// Pairs are names and values that follow one another.
func Pairs(words []string) map[string]string {
	pairs := map[string]string{}
	for at := 0; at < len(words); at += 2 {
		pairs[words[at]] = words[at+1]
	}
	return pairs
}

func parsed(word string) []byte {
	if word == "-" {
		return nil
	}
	data, err := hex.DecodeString(word[1:])
	if err != nil {
		panic(err) // the requests are our own
	}
	return data
}

func written(data []byte) string {
	if data == nil {
		return "-"
	}
	return "x" + hex.EncodeToString(data)
}

// Member is one of a group: what it holds, and how it leaves.
type Member struct {
	Held  func() []any
	Leave func() error
}

// Members has two members share the partitions, and then the other leave.
func (l *Lines) Members(ctx context.Context, join func() (Member, error)) error {
	stays, err := join()
	if err != nil {
		return err
	}
	defer stays.Leave()
	leaves, err := join()
	if err != nil {
		return err
	}
	if err := l.settled(ctx, stays.Held, leaves.Held); err != nil {
		return err
	}
	if err := leaves.Leave(); err != nil {
		return err
	}
	return l.settled(ctx, stays.Held)
}

// settled prints what the members of a group hold, once each has something, and all of them together the three partitions.
func (l *Lines) settled(ctx context.Context, shares ...func() []any) error {
	for ctx.Err() == nil {
		count, idle := 0, false
		held := make([][]any, len(shares))
		for i, share := range shares {
			held[i] = share()
			count += len(held[i])
			idle = idle || len(held[i]) == 0
		}
		if count == 3 && !idle {
			for _, words := range held {
				l.Print(words...)
			}
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ctx.Err()
}
