"""franz-go, Go."""

from go_client import GoClient


class Client(GoClient):
    """go/franz/main.go."""

    name = "franz-go"
    program = "franz"
    module = "github.com/twmb/franz-go"
