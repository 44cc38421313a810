//! The load of `bench/run`: one command a kind of load, one line of JSON a result.

mod arguments;
mod first;
mod idle;
mod join;
mod keyed;
mod latency;
mod paced;
mod single;
mod stream;
mod topics;
mod wire;

use arguments::Arguments;

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "bench-driver COMMAND --bootstrap HOST:PORT [--NAME VALUE ...]
  create   --topic T --partitions N      create a topic; seconds until the answer and until every partition serves
  first    --topic T                     wait for a broker to appear; end with its first acknowledged record
  produce  --topic T --partitions N --records N --bytes N     librdkafka, acks=all, idempotent
  keyed    --topic T --records N --bytes N --keys N           the same with keys, so many of them, into one partition
  consume  --topic T --partitions N --records N               librdkafka, from the beginning
  single   --topic T --partitions N --connections N --seconds N --bytes N --acks A    one record a request
  paced    --topic T --partitions N --rate N --seconds N --bytes N --linger MS        latency from end to end
  idle     --connections N               open connections, say so, close them at the end of input
  join     --members N --rounds N --delay MS    a classic group: seconds to join after the initial delay, and to join again";

fn main() {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let outcome = Arguments::parse(words).and_then(|arguments| run(&command, &arguments));
    match outcome {
        Ok(line) => println!("{line}"),
        Err(failure) => {
            eprintln!("bench-driver {command}: {failure}");
            std::process::exit(1);
        }
    }
}

fn run(command: &str, arguments: &Arguments) -> Result<String, Failure> {
    match command {
        "create" => topics::create(arguments),
        "first" => first::first(arguments),
        "produce" => stream::produce(arguments),
        "keyed" => keyed::keyed(arguments),
        "consume" => stream::consume(arguments),
        "single" => single::single(arguments),
        "paced" => paced::paced(arguments),
        "idle" => idle::idle(arguments),
        "join" => join::join(arguments),
        _ => Err(USAGE.into()),
    }
}
