"""segmentio/kafka-go, Go."""

from go_client import GoClient


class Client(GoClient):
    """go/kafkago/main.go."""

    name = "kafka-go"
    program = "kafkago"
    module = "github.com/segmentio/kafka-go"
    lacks = {
        "empties": "it reads an empty key or value as none",
        "null headers": "it reads a header without a value as an empty one",
        "idempotence": "its writer has no idempotent producer",
        "static_read": "it has no static members",
        "delete_records": "its client has no call for it",
    }
