//! `docs/settings.md` says what the table says.

#[test]
fn the_reference_page_is_the_one_that_the_table_makes() {
    let page = include_str!("../../../docs/settings.md");
    let made = config::reference_page();
    let stale = page.lines().zip(made.lines()).find(|(page, made)| page != made);
    assert_eq!(
        stale, None,
        "write it again: cargo run -p yeoul-config --example settings > docs/settings.md"
    );
    assert_eq!(page.lines().count(), made.lines().count());
}
