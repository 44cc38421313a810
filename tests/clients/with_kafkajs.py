"""kafkajs, JavaScript. Of the codecs it has gzip itself, and takes the others from packages."""

from javascript_client import JavaScriptClient


class Client(JavaScriptClient):
    """javascript/kafkajs.mjs."""

    name = "kafkajs"
    program = "kafkajs.mjs"
    package = "kafkajs"
    lacks = {
        "null headers": "it sends no header without a value",
        "static_read": "it has no static members",
    }
