// franz-go behind the lines that tests/clients/lines.py describes.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"yeoul.io/tests/clients/lines"
)

type client struct {
	*lines.Lines
	bootstrap string
}

func main() {
	lines.Serve(func(l *lines.Lines) lines.Answer {
		c := &client{l, os.Args[1]}
		return c.answer
	})
}

func (c *client) connect(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(c.bootstrap), kgo.ClientID("franz-go"))...)
}

func (c *client) answer(ctx context.Context, words []string) error {
	switch words[0] {
	case "produce":
		return c.produce(ctx, words[1], words[2], words[3])
	case "read":
		return c.read(ctx, words[1])
	case "since":
		return c.since(ctx, words[1], words[2])
	case "group":
		return c.group(ctx, words[1], words[2], words[3])
	case "static":
		return c.group(ctx, words[1], words[2], words[3], kgo.InstanceID(words[4]))
	case "members":
		return c.Members(ctx, func() (lines.Member, error) { return c.join(ctx, words[1], words[2]) })
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
		return create(ctx, admin, words[1], words[2], lines.Pairs(words[3:]))
	case "topics":
		return c.topics(ctx, admin)
	case "delete":
		_, err := admin.DeleteTopic(ctx, words[1])
		return err
	case "configs":
		return c.configs(ctx, admin, words[1])
	case "alter":
		set := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: words[2], Value: &words[3]}}
		responses, err := admin.AlterTopicConfigs(ctx, set, words[1])
		return first(err, func() error { return responses[0].Err })
	case "grow":
		responses, err := admin.UpdatePartitions(ctx, lines.Number(words[2]), words[1])
		return first(err, responses.Error)
	case "cut":
		var place kadm.Offsets
		place.AddOffset(words[1], int32(lines.Number(words[2])), int64(lines.Number(words[3])), -1)
		responses, err := admin.DeleteRecords(ctx, place)
		return first(err, responses.Error)
	case "cluster":
		return c.cluster(ctx, admin)
	case "offsets":
		return c.offsets(ctx, admin, words[1], words[2])
	}
	return c.administerGroups(ctx, admin, words)
}

// first is the error of a request, or else that of its answer.
func first(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func (c *client) administerGroups(ctx context.Context, admin *kadm.Client, words []string) error {
	switch words[0] {
	case "groups":
		groups, err := admin.ListGroups(ctx)
		for _, group := range groups.Groups() {
			c.Print(group)
		}
		return err
	case "describe":
		groups, err := admin.DescribeGroups(ctx, words[1])
		c.Print(groups[words[1]].State, len(groups[words[1]].Members))
		return err
	case "committed":
		offsets, err := admin.FetchOffsets(ctx, words[2])
		for partition, found := range offsets[words[1]] {
			c.Print(partition, found.At)
		}
		return err
	case "forget":
		_, err := admin.DeleteGroup(ctx, words[1])
		return err
	}
	return fmt.Errorf("unknown request %s", words[0])
}

func create(ctx context.Context, admin *kadm.Client, topic, partitions string, pairs map[string]string) error {
	configs := map[string]*string{}
	for name, value := range pairs {
		configs[name] = &value
	}
	_, err := admin.CreateTopic(ctx, int32(lines.Number(partitions)), 1, configs, topic)
	return err
}

func (c *client) topics(ctx context.Context, admin *kadm.Client) error {
	topics, err := admin.ListTopics(ctx)
	for name, topic := range topics {
		c.Print(name, len(topic.Partitions))
	}
	return err
}

func (c *client) configs(ctx context.Context, admin *kadm.Client, topic string) error {
	resources, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return err
	}
	for _, config := range resources[0].Configs {
		c.Print(config.Key, config.MaybeValue())
	}
	return resources[0].Err
}

func (c *client) cluster(ctx context.Context, admin *kadm.Client) error {
	metadata, err := admin.BrokerMetadata(ctx)
	c.Print(metadata.Cluster)
	for _, broker := range metadata.Brokers {
		c.Print(broker.NodeID, fmt.Sprintf("%s:%d", broker.Host, broker.Port))
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
	found.Each(func(offset kadm.ListedOffset) { c.Print(offset.Partition, offset.Offset) })
	return first(err, found.Error)
}

// after says -1 for a partition without a record at or after the time, as the protocol does: kadm would put the end there.
func (c *client) after(ctx context.Context, admin *kadm.Client, topic, when string) (kadm.ListedOffsets, error) {
	found, err := admin.ListOffsetsAfterMilli(ctx, int64(lines.Number(when)), topic)
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
	sent, err := c.Records(count)
	if err != nil {
		return err
	}
	records := make([]*kgo.Record, len(sent))
	for i, record := range sent {
		records[i] = toSend(topic, record)
	}
	cl, err := c.connect(kgo.ProducerBatchCompression(codecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(20*time.Millisecond), kgo.ProducerBatchMaxBytes(10_000_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, records...).FirstErr()
}

func toSend(topic string, record lines.Record) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: int32(record.Partition), Timestamp: time.UnixMilli(record.Millis), Key: record.Key, Value: record.Value}
	for _, header := range record.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
	}
	return r
}

func (c *client) show(r *kgo.Record) {
	record := lines.Record{Partition: int(r.Partition), Offset: r.Offset, Millis: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
	for _, header := range r.Headers {
		record.Headers = append(record.Headers, lines.Header{Name: header.Key, Value: header.Value})
	}
	c.PrintRecord(record)
}

func (c *client) read(ctx context.Context, topic string) error {
	return c.readFrom(ctx, topic, func(admin *kadm.Client) (kadm.ListedOffsets, error) {
		return admin.ListStartOffsets(ctx, topic)
	})
}

func (c *client) since(ctx context.Context, topic, when string) error {
	return c.readFrom(ctx, topic, func(admin *kadm.Client) (kadm.ListedOffsets, error) {
		return admin.ListOffsetsAfterMilli(ctx, int64(lines.Number(when)), topic)
	})
}

// readFrom prints all records from certain offsets to the ends.
func (c *client) readFrom(ctx context.Context, topic string, begin func(*kadm.Client) (kadm.ListedOffsets, error)) error {
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	begins, err := begin(admin)
	if err != nil {
		return err
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	left := int64(0)
	begins.Each(func(begin kadm.ListedOffset) { left += ends[topic][begin.Partition].Offset - begin.Offset })
	cl.AddConsumePartitions(begins.KOffsets())
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
			c.show(r)
			left--
		})
	}
	return nil
}

func (c *client) member(topic, group string, more ...kgo.Opt) (*kgo.Client, error) {
	return c.connect(append(more, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
}

func (c *client) group(ctx context.Context, topic, group, count string, more ...kgo.Opt) error {
	cl, err := c.member(topic, group, more...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := c.take(ctx, cl, int64(lines.Number(count)), 10); err != nil {
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

// join makes a member that polls in the background; the range assignor revokes before it assigns, so none is held twice.
func (c *client) join(ctx context.Context, topic, group string) (lines.Member, error) {
	held := &share{held: map[int32]bool{}}
	cl, err := c.member(topic, group, kgo.Balancers(kgo.RangeBalancer()),
		kgo.OnPartitionsAssigned(held.assigned), kgo.OnPartitionsRevoked(held.lost), kgo.OnPartitionsLost(held.lost))
	if err != nil {
		return lines.Member{}, err
	}
	go func() {
		for ctx.Err() == nil && !cl.PollRecords(ctx, 10).IsClientClosed() {
		}
	}()
	leave := func() error {
		cl.Close()
		return nil
	}
	return lines.Member{Held: held.partitions, Leave: leave}, nil
}
