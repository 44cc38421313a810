"""@platformatic/kafka, JavaScript."""

from javascript_client import JavaScriptClient


class Client(JavaScriptClient):
    """javascript/platformatic.mjs."""

    name = "platformatic"
    program = "platformatic.mjs"
    package = "@platformatic/kafka"
    lacks = {
        "zstd": "it takes zstd from Node.js, which has it from 22.15 on",
        "static_read": "its static members leave when they are closed",
    }
