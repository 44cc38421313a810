//! Members of a group, of our own client.

#[path = "broker_support/mod.rs"]
mod support;

use std::time::Duration;

use client::{ClientOptions, Cluster, Consumer, ConsumerOptions, GroupOptions, Topics};
use support::{Client, in_a_process, start};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long what should end may take to.
const END_WITHIN: Duration = Duration::from_secs(20);

/// A member that has partitions, which takes several calls.
async fn member(bootstrap: &str) -> Consumer {
    let cluster = Cluster::of(bootstrap, ClientOptions::default()).await.expect("the address is one");
    let options = ConsumerOptions { wait_max: Duration::from_millis(10), ..ConsumerOptions::default() };
    let topics = Topics::Named(vec!["t".to_owned()]);
    let mut consumer = Consumer::subscribe(cluster, options, GroupOptions::new("g"), topics);
    while consumer.assignment().is_empty() {
        consumer.poll().await.expect("the broker has groups");
    }
    consumer
}

/// Waits until no task is left on this runtime.
async fn no_task() {
    let all_end = async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(END_WITHIN, all_end).await.expect("no task is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_closed_or_dropped_leaves_no_task() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    assert_eq!(Client::connect(&server).await.create_topic("t", 1).await, 0);
    let bootstrap = server.addresses()[0].1.to_string();
    for closes in [true, false] {
        let bootstrap = bootstrap.clone();
        let runs = tokio::task::spawn_blocking(move || {
            // A runtime of its own, where all tasks are the client's.
            in_a_process(async {
                let consumer = member(&bootstrap).await;
                assert!(Handle::current().metrics().num_alive_tasks() > 0);
                match closes {
                    true => consumer.close().await.unwrap(),
                    false => drop(consumer),
                }
                no_task().await;
            });
        });
        runs.await.unwrap();
    }
    server.stop().await.unwrap();
}
