//! Writes `docs/settings.md` to standard output.

fn main() {
    print!("{}", config::reference_page());
}
