//! The five compressions, against themselves, against streams of other writers, and against bombs.
#![allow(clippy::unwrap_used)]

mod wire;

use protocol::compression::{Compression, CompressionError, Compressor, compress, decompress};
use wire::Source;

fn samples() -> Vec<Vec<u8>> {
    let mut source = Source(5);
    let noise = |len: usize, source: &mut Source| (0..len).map(|_| source.next() as u8).collect::<Vec<u8>>();
    let text = b"the quick brown fox jumps over the lazy dog. ".repeat(10_000);
    vec![Vec::new(), vec![1], b"hello".to_vec(), noise(100, &mut source), noise(200_000, &mut source), text]
}

#[test]
fn what_is_compressed_becomes_the_same_again() {
    for compression in Compression::ALL {
        for sample in samples() {
            let compressed = compress(compression, &sample).unwrap();
            let again = decompress(compression, &compressed, sample.len()).unwrap();
            assert_eq!(again, sample, "{}", compression.name());
        }
    }
}

/// Text that is worth an effort.
fn numbers() -> Vec<u8> {
    (0..40_000).flat_map(|number| format!("{} ", number * number % 7_919).into_bytes()).collect()
}

#[test]
fn every_level_gives_the_same_records_and_a_thorough_one_fewer_bytes() {
    let sample = numbers();
    let len = |compression, level| {
        let compressed = compress(Compressor { compression, level: Some(level) }, &sample).unwrap();
        assert_eq!(
            decompress(compression, &compressed, sample.len()).unwrap(),
            sample,
            "{compression:?} {level}"
        );
        compressed.len()
    };
    // Kafka's default of LZ4, 9, is the fast one.
    for (compression, quick, thorough, beyond) in [
        (Compression::Gzip, 1, 9, 100),
        (Compression::Lz4, 9, 12, 17),
        (Compression::Zstd, -131_072, 19, i32::MIN),
    ] {
        assert!(len(compression, thorough) < len(compression, quick), "{compression:?}");
        len(compression, beyond);
    }
}

#[test]
fn one_byte_more_than_the_cap_is_refused() {
    for compression in Compression::ALL {
        for sample in samples().into_iter().filter(|sample| !sample.is_empty()) {
            let compressed = compress(compression, &sample).unwrap();
            let refused = decompress(compression, &compressed, sample.len() - 1);
            assert!(
                matches!(refused, Err(CompressionError::TooLarge { .. })),
                "{}: {refused:?}",
                compression.name()
            );
        }
    }
}

#[test]
fn a_stream_that_is_cut_short_never_passes_for_the_whole() {
    let sample = b"0123456789".repeat(20_000);
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let compressed = compress(compression, &sample).unwrap();
        for end in (0..compressed.len()).step_by(1 + compressed.len() / 300) {
            if let Ok(part) = decompress(compression, &compressed[..end], sample.len()) {
                assert!(
                    part.len() < sample.len() && sample.starts_with(&part),
                    "{} {end}",
                    compression.name()
                );
            }
        }
    }
}

#[test]
fn snappy_is_framed_as_java_clients_expect_and_bare_blocks_are_read() {
    let sample = b"abcabcabc".repeat(9_000);
    let framed = compress(Compression::Snappy, &sample).unwrap();
    assert_eq!(&framed[..16], b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    assert_eq!(
        decompress(Compression::Snappy, &[&framed[..], &framed[..]].concat(), 1 << 20).unwrap(),
        sample.repeat(2)
    );
    let bare = snap::raw::Encoder::new().compress_vec(&sample).unwrap();
    assert_eq!(decompress(Compression::Snappy, &bare, 1 << 20).unwrap(), sample);
}

#[test]
fn lz4_frames_have_independent_blocks_of_64_kib() {
    let compressed = compress(Compression::Lz4, &[0; 1000]).unwrap();
    assert_eq!(&compressed[..4], &0x184d_2204_u32.to_le_bytes());
    assert_eq!(
        (compressed[4] & 0x20, compressed[5] >> 4),
        (0x20, 4),
        "independent blocks; the size class of 64 KiB"
    );
}

#[test]
fn an_lz4_frame_without_its_end_mark_is_corrupt() {
    let compressed = compress(Compression::Lz4, b"hello hello hello").unwrap();
    for end in 0..compressed.len() {
        assert!(decompress(Compression::Lz4, &compressed[..end], 1 << 20).is_err(), "cut to {end} bytes");
    }
}

#[test]
fn a_bomb_stops_at_the_cap() {
    let zeroes = vec![0; 256 << 20];
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let bomb = compress(compression, &zeroes).unwrap();
        let refused = decompress(compression, &bomb, 1 << 20);
        assert!(matches!(refused, Err(CompressionError::TooLarge { .. })), "{}", compression.name());
    }
}

#[test]
fn a_snappy_block_that_claims_what_it_cannot_hold_is_corrupt() {
    let claims_512_mib = b"\x80\x80\x80\x80\x02abc";
    let refused = decompress(Compression::Snappy, claims_512_mib, usize::MAX);
    assert!(matches!(refused, Err(CompressionError::Corrupt { .. })), "{refused:?}");
}

#[test]
fn garbage_is_an_error() {
    let mut source = Source(6);
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        for len in 1..200 {
            let garbage: Vec<u8> = (0..len).map(|_| source.next() as u8).collect();
            assert!(
                decompress(compression, &garbage, 1 << 20).is_err(),
                "{} {garbage:?}",
                compression.name()
            );
        }
    }
}
