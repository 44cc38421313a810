// segmentio/kafka-go behind the lines that tests/clients/lines.py describes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"yeoul.io/tests/clients/lines"
)

const (
	name     = "kafka-go"
	bytesMax = 10_000_000
)

type client struct {
	*lines.Lines
	kafka.Client
	bootstrap string
	dialer    *kafka.Dialer
	transport *kafka.Transport
}

func main() {
	address, dialer := os.Args[1], &kafka.Dialer{ClientID: name}
	lines.Serve(func(l *lines.Lines) lines.Answer {
		return func(ctx context.Context, words []string) error { // a transport of its own remembers no topics of before
			transport := &kafka.Transport{ClientID: name}
			defer transport.CloseIdleConnections()
			c := &client{l, kafka.Client{Addr: kafka.TCP(address), Transport: transport}, address, dialer, transport}
			return c.answer(ctx, words)
		}
	})
}

func (c *client) answer(ctx context.Context, words []string) error {
	switch words[0] {
	case "produce":
		return c.produce(ctx, words[1], words[2], words[3])
	case "read":
		return c.read(ctx, words[1], func(reader *kafka.Reader) error { return reader.SetOffset(kafka.FirstOffset) })
	case "since":
		when := time.UnixMilli(int64(lines.Number(words[2])))
		return c.read(ctx, words[1], func(reader *kafka.Reader) error { return reader.SetOffsetAt(ctx, when) })
	case "group":
		return c.group(ctx, words[1], words[2], lines.Number(words[3]))
	case "members":
		return c.Members(ctx, func() (lines.Member, error) { return c.join(ctx, words[1], words[2]) })
	case "offsets":
		return c.offsets(ctx, words[1], words[2])
	case "groups", "describe", "committed", "forget":
		return c.administerGroups(ctx, words)
	}
	return c.administer(ctx, words)
}

func (c *client) administer(ctx context.Context, words []string) error {
	switch words[0] {
	case "create":
		return c.create(ctx, words[1], words[2], lines.Pairs(words[3:]))
	case "topics":
		return c.topics(ctx)
	case "delete":
		answer, err := c.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: words[1:]})
		return first(err, func() error { return answer.Errors[words[1]] })
	case "configs":
		return c.configs(ctx, words[1])
	case "alter":
		config := kafka.IncrementalAlterConfigsRequestConfig{Name: words[2], Value: words[3], ConfigOperation: kafka.ConfigOperationSet}
		resource := kafka.IncrementalAlterConfigsRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: words[1], Configs: []kafka.IncrementalAlterConfigsRequestConfig{config}}
		answer, err := c.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
			Resources: []kafka.IncrementalAlterConfigsRequestResource{resource}})
		return first(err, func() error { return answer.Resources[0].Error })
	case "grow":
		answer, err := c.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
			Topics: []kafka.TopicPartitionsConfig{{Name: words[1], Count: int32(lines.Number(words[2]))}}})
		return first(err, func() error { return answer.Errors[words[1]] })
	case "cluster":
		return c.cluster(ctx)
	}
	return fmt.Errorf("unknown request %s", words[0])
}

// first is the error of a request, or else that of its answer.
func first(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func (c *client) create(ctx context.Context, topic, partitions string, pairs map[string]string) error {
	config := kafka.TopicConfig{Topic: topic, NumPartitions: lines.Number(partitions), ReplicationFactor: 1}
	for name, value := range pairs {
		config.ConfigEntries = append(config.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	answer, err := c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}})
	return first(err, func() error { return answer.Errors[topic] })
}

func (c *client) topics(ctx context.Context) error {
	answer, err := c.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return err
	}
	for _, topic := range answer.Topics {
		c.Print(topic.Name, len(topic.Partitions))
	}
	return nil
}

func (c *client) cluster(ctx context.Context) error {
	answer, err := c.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return err
	}
	c.Print(answer.ClusterID)
	for _, broker := range answer.Brokers {
		c.Print(broker.ID, fmt.Sprintf("%s:%d", broker.Host, broker.Port))
	}
	return nil
}

func (c *client) configs(ctx context.Context, topic string) error {
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}
	answer, err := c.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}})
	if err != nil {
		return err
	}
	for _, entry := range answer.Resources[0].ConfigEntries {
		c.Print(entry.ConfigName, entry.ConfigValue)
	}
	return answer.Resources[0].Error
}

func (c *client) administerGroups(ctx context.Context, words []string) error {
	switch words[0] {
	case "groups":
		answer, err := c.ListGroups(ctx, &kafka.ListGroupsRequest{})
		if err != nil {
			return err
		}
		for _, group := range answer.Groups {
			c.Print(group.GroupID)
		}
		return answer.Error
	case "describe":
		answer, err := c.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: words[1:]})
		if err != nil {
			return err
		}
		c.Print(answer.Groups[0].GroupState, len(answer.Groups[0].Members))
		return answer.Groups[0].Error
	case "committed":
		return c.committed(ctx, words[1], words[2])
	}
	answer, err := c.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: words[1:]})
	return first(err, func() error { return answer.Errors[words[1]] })
}

func (c *client) committed(ctx context.Context, topic, group string) error {
	partitions, err := c.partitions(ctx, topic)
	if err != nil {
		return err
	}
	answer, err := c.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err != nil {
		return err
	}
	for _, found := range answer.Topics[topic] {
		c.Print(found.Partition, found.CommittedOffset)
	}
	return answer.Error
}

func (c *client) partitions(ctx context.Context, topic string) ([]int, error) {
	answer, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, partition := range answer.Topics[0].Partitions {
		numbers = append(numbers, partition.ID)
	}
	return numbers, answer.Topics[0].Error
}

// listed asks for an offset of every partition.
func (c *client) listed(ctx context.Context, topic string, ask func(partition int) kafka.OffsetRequest) ([]kafka.PartitionOffsets, error) {
	partitions, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	var asked []kafka.OffsetRequest
	for _, partition := range partitions {
		asked = append(asked, ask(partition))
	}
	answer, err := c.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}})
	if err != nil {
		return nil, err
	}
	return answer.Topics[topic], nil
}

func (c *client) offsets(ctx context.Context, topic, when string) error {
	ask := kafka.LastOffsetOf
	switch when {
	case "latest":
	case "earliest":
		ask = kafka.FirstOffsetOf
	default:
		millis := int64(lines.Number(when))
		ask = func(partition int) kafka.OffsetRequest { return kafka.TimeOffsetOf(partition, time.UnixMilli(millis)) }
	}
	found, err := c.listed(ctx, topic, ask)
	for _, offsets := range found {
		c.Print(offsets.Partition, offset(offsets, when))
	}
	return err
}

func offset(found kafka.PartitionOffsets, when string) int64 {
	switch when {
	case "latest":
		return found.LastOffset
	case "earliest":
		return found.FirstOffset
	}
	for offset := range found.Offsets {
		return offset
	}
	return -1
}

var codecs = map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}

func (c *client) produce(ctx context.Context, topic, codec, count string) error {
	records, err := c.Records(count)
	if err != nil {
		return err
	}
	messages := make([]kafka.Message, len(records))
	for i, record := range records {
		messages[i] = message(record)
	}
	writer := &kafka.Writer{
		Addr: c.Addr, Topic: topic, Balancer: kafka.BalancerFunc(chosen), RequiredAcks: kafka.RequireAll, Compression: codecs[codec],
		BatchBytes: bytesMax, BatchTimeout: 20 * time.Millisecond, Transport: c.transport}
	defer writer.Close()
	return firstOf(writer.WriteMessages(ctx, messages...))
}

// chosen is the partition that the record names.
func chosen(message kafka.Message, _ ...int) int {
	return message.WriterData.(int)
}

// firstOf is the first of the errors that a writer returns, one a message.
func firstOf(err error) error {
	var each kafka.WriteErrors
	if errors.As(err, &each) {
		return errors.Join(each...)
	}
	return err
}

func message(record lines.Record) kafka.Message {
	m := kafka.Message{Key: record.Key, Value: record.Value, Time: time.UnixMilli(record.Millis), WriterData: record.Partition}
	for _, header := range record.Headers {
		m.Headers = append(m.Headers, kafka.Header{Key: header.Name, Value: header.Value})
	}
	return m
}

func (c *client) show(m kafka.Message) {
	record := lines.Record{Partition: m.Partition, Offset: m.Offset, Millis: m.Time.UnixMilli(), Key: m.Key, Value: m.Value}
	for _, header := range m.Headers { // an empty value is read as nil
		record.Headers = append(record.Headers, lines.Header{Name: header.Key, Value: append([]byte{}, header.Value...)})
	}
	c.PrintRecord(record)
}

// read prints each partition from where a function puts its reader to the end.
func (c *client) read(ctx context.Context, topic string, seek func(*kafka.Reader) error) error {
	ends, err := c.listed(ctx, topic, kafka.LastOffsetOf)
	if err != nil {
		return err
	}
	for _, end := range ends {
		if err := c.readPartition(ctx, topic, end, seek); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) readPartition(ctx context.Context, topic string, end kafka.PartitionOffsets, seek func(*kafka.Reader) error) error {
	if end.LastOffset == 0 {
		return nil
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{c.bootstrap}, Dialer: c.dialer, Topic: topic, Partition: end.Partition, MaxBytes: bytesMax,
		MaxWait: 500 * time.Millisecond})
	defer reader.Close()
	if err := seek(reader); err != nil {
		return err
	}
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return err
		}
		c.show(message)
		if message.Offset+1 == end.LastOffset {
			return nil
		}
	}
}

func (c *client) group(ctx context.Context, topic, group string, left int) error {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{c.bootstrap}, Dialer: c.dialer, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: 500 * time.Millisecond, MaxWait: 500 * time.Millisecond})
	defer reader.Close()
	var taken []kafka.Message
	for ; left > 0; left-- {
		message, err := reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		c.show(message)
		taken = append(taken, message)
	}
	return reader.CommitMessages(ctx, taken...)
}

// share is what one member of a group holds in its generation.
type share struct {
	mutex sync.Mutex
	held  []any
}

func (s *share) set(held []any) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.held = held
}

func (s *share) partitions() []any {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.held
}

// follow notes what each generation gives, and that it is gone when the generation ends.
func (s *share) follow(ctx context.Context, member *kafka.ConsumerGroup, topic string) {
	for {
		generation, err := member.Next(ctx)
		if errors.Is(err, kafka.ErrGroupClosed) || ctx.Err() != nil {
			return
		}
		if err != nil {
			continue
		}
		var held []any
		for _, assignment := range generation.Assignments[topic] {
			held = append(held, assignment.ID)
		}
		s.set(held)
		generation.Start(func(ctx context.Context) {
			<-ctx.Done()
			s.set(nil)
		})
	}
}

func (c *client) join(ctx context.Context, topic, group string) (lines.Member, error) {
	member, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: []string{c.bootstrap}, Dialer: c.dialer, Topics: []string{topic}, HeartbeatInterval: 500 * time.Millisecond})
	if err != nil {
		return lines.Member{}, err
	}
	held := &share{}
	go held.follow(ctx, member, topic)
	return lines.Member{Held: held.partitions, Leave: member.Close}, nil
}
