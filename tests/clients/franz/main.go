// franz-go behind the lines that tests/clients/lines.py describes.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const patience = 60 * time.Second

type client struct {
	bootstrap string
	in        *bufio.Reader
	out       *bufio.Writer
}

func main() {
	c := &client{os.Args[1], bufio.NewReaderSize(os.Stdin, 1<<22), bufio.NewWriter(os.Stdout)}
	for {
		words, err := c.words()
		if err != nil {
			return
		}
		if err := c.answer(words); err != nil {
			c.print("!" + strings.ReplaceAll(err.Error(), "\n", " "))
		}
		c.print(".")
		c.out.Flush()
	}
}

func (c *client) words() ([]string, error) {
	line, err := c.in.ReadString('\n')
	return strings.Split(strings.TrimSuffix(line, "\n"), "\t"), err
}

func (c *client) print(words ...any) {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = fmt.Sprint(word)
	}
	c.out.WriteString(strings.Join(texts, "\t") + "\n")
}

func (c *client) connect(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(c.bootstrap))...)
}

func (c *client) answer(words []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch words[0] {
	case "produce":
		return c.produce(ctx, words[1], words[2], words[3])
	case "read":
		return c.read(ctx, words[1])
	case "group":
		return c.group(ctx, words[1], words[2], words[3])
	case "members":
		return c.members(ctx, words[1], words[2])
	}
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	return c.administer(ctx, kadm.NewClient(cl), words)
}

func (c *client) administer(ctx context.Context, admin *kadm.Client, words []string) error {
	switch words[0] {
	case "create":
		return create(ctx, admin, words)
	case "topics":
		return c.topics(ctx, admin)
	case "delete":
		_, err := admin.DeleteTopic(ctx, words[1])
		return err
	case "configs":
		return c.configs(ctx, admin, words[1])
	case "cluster":
		return c.cluster(ctx, admin)
	case "offsets":
		return c.offsets(ctx, admin, words[1], words[2])
	}
	return fmt.Errorf("unknown request %s", words[0])
}

func create(ctx context.Context, admin *kadm.Client, words []string) error {
	configs := map[string]*string{}
	for at := 3; at < len(words); at += 2 {
		configs[words[at]] = &words[at+1]
	}
	partitions, err := strconv.Atoi(words[2])
	if err != nil {
		return err
	}
	_, err = admin.CreateTopic(ctx, int32(partitions), 1, configs, words[1])
	return err
}

func (c *client) topics(ctx context.Context, admin *kadm.Client) error {
	topics, err := admin.ListTopics(ctx)
	for name, topic := range topics {
		c.print(name, len(topic.Partitions))
	}
	return err
}

func (c *client) configs(ctx context.Context, admin *kadm.Client, topic string) error {
	resources, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return err
	}
	for _, config := range resources[0].Configs {
		c.print(config.Key, config.MaybeValue())
	}
	return resources[0].Err
}

func (c *client) cluster(ctx context.Context, admin *kadm.Client) error {
	metadata, err := admin.BrokerMetadata(ctx)
	c.print(metadata.Cluster)
	for _, broker := range metadata.Brokers {
		c.print(broker.NodeID, fmt.Sprintf("%s:%d", broker.Host, broker.Port))
	}
	return err
}

func (c *client) offsets(ctx context.Context, admin *kadm.Client, topic, when string) error {
	var found kadm.ListedOffsets
	var err error
	switch when {
	case "earliest":
		found, err = admin.ListStartOffsets(ctx, topic)
	case "latest":
		found, err = admin.ListEndOffsets(ctx, topic)
	default:
		found, err = c.after(ctx, admin, topic, when)
	}
	found.Each(func(offset kadm.ListedOffset) { c.print(offset.Partition, offset.Offset) })
	if err != nil {
		return err
	}
	return found.Error()
}

// after says -1 for a partition without a record at or after the time, as the protocol does: kadm would put the end there.
func (c *client) after(ctx context.Context, admin *kadm.Client, topic, when string) (kadm.ListedOffsets, error) {
	millis, err := strconv.ParseInt(when, 10, 64)
	if err != nil {
		return nil, err
	}
	found, err := admin.ListOffsetsAfterMilli(ctx, millis, topic)
	for partition, offset := range found[topic] {
		if offset.Timestamp == -1 {
			offset.Offset = -1
			found[topic][partition] = offset
		}
	}
	return found, err
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// produce is idempotent: franz-go is unless told otherwise.
func (c *client) produce(ctx context.Context, topic, codec, count string) error {
	total, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	records := make([]*kgo.Record, total)
	for i := range records {
		words, err := c.words()
		if err != nil {
			return err
		}
		records[i] = record(topic, words)
	}
	cl, err := c.connect(kgo.ProducerBatchCompression(codecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(20*time.Millisecond), kgo.ProducerBatchMaxBytes(10_000_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, records...).FirstErr()
}

func record(topic string, words []string) *kgo.Record {
	partition, _ := strconv.Atoi(words[0])
	millis, _ := strconv.ParseInt(words[1], 10, 64)
	r := &kgo.Record{Topic: topic, Partition: int32(partition), Timestamp: time.UnixMilli(millis), Key: parsed(words[2]), Value: parsed(words[3])}
	for at := 4; at < len(words); at += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: words[at], Value: parsed(words[at+1])})
	}
	return r
}

func parsed(word string) []byte {
	if word == "-" {
		return nil
	}
	data, _ := hex.DecodeString(word[1:])
	return data
}

func written(data []byte) string {
	if data == nil {
		return "-"
	}
	return "x" + hex.EncodeToString(data)
}

func (c *client) record(r *kgo.Record) {
	words := []any{r.Partition, r.Offset, r.Timestamp.UnixMilli(), written(r.Key), written(r.Value)}
	for _, header := range r.Headers {
		words = append(words, header.Key, written(header.Value))
	}
	c.print(words...)
}

func (c *client) read(ctx context.Context, topic string) error {
	cl, err := c.connect(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	left := int64(0)
	ends.Each(func(end kadm.ListedOffset) { left += end.Offset })
	return c.take(ctx, cl, left, int(left)+1)
}

// take prints at least that many records, from polls of a limited size.
func (c *client) take(ctx context.Context, cl *kgo.Client, left int64, most int) error {
	for left > 0 {
		fetches := cl.PollRecords(ctx, most)
		if err := fetches.Err0(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			c.record(r)
			left--
		})
	}
	return nil
}

func (c *client) member(topic, group string, more ...kgo.Opt) (*kgo.Client, error) {
	return c.connect(append(more, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
}

func (c *client) group(ctx context.Context, topic, group, count string) error {
	wanted, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return err
	}
	cl, err := c.member(topic, group)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := c.take(ctx, cl, wanted, 10); err != nil {
		return err
	}
	return cl.CommitUncommittedOffsets(ctx)
}

// share is what one member of a group holds, as its callbacks say.
type share struct {
	mutex sync.Mutex
	held  map[int32]bool
}

func (s *share) assigned(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	s.set(topics, true)
}
func (s *share) lost(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	s.set(topics, false)
}

func (s *share) set(topics map[string][]int32, held bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, partitions := range topics {
		for _, partition := range partitions {
			if held {
				s.held[partition] = true
			} else {
				delete(s.held, partition)
			}
		}
	}
}

func (s *share) partitions() []any {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var words []any
	for partition := range s.held {
		words = append(words, partition)
	}
	return words
}

// members polls two members until each holds partitions; the range assignor revokes before it assigns, so none is held twice.
func (c *client) members(ctx context.Context, topic, group string) error {
	shares := [2]*share{}
	for i := range shares {
		held := &share{held: map[int32]bool{}}
		shares[i] = held
		cl, err := c.member(topic, group, kgo.Balancers(kgo.RangeBalancer()),
			kgo.OnPartitionsAssigned(held.assigned), kgo.OnPartitionsRevoked(held.lost), kgo.OnPartitionsLost(held.lost))
		if err != nil {
			return err
		}
		defer cl.Close()
		go func() {
			for ctx.Err() == nil && !cl.PollRecords(ctx, 10).IsClientClosed() {
			}
		}()
	}
	return c.settled(ctx, shares)
}

func (c *client) settled(ctx context.Context, shares [2]*share) error {
	for ctx.Err() == nil {
		one, two := shares[0].partitions(), shares[1].partitions()
		if len(one) > 0 && len(two) > 0 && len(one)+len(two) == 3 {
			c.print(one...)
			c.print(two...)
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ctx.Err()
}
