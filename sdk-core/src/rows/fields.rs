//! What `storycore-page-columns` takes for granted of the models' fields.

/// A shape takes an object as a value for a map's or any value: of a struct's own fields it would have to ask, too.
#[test]
fn no_answer_has_a_field_that_is_a_struct() {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/src/models");
    let texts: Vec<String> = std::fs::read_dir(models)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    // Each with what stands above it.
    let structs: Vec<(&str, &str, &str)> = texts
        .iter()
        .flat_map(|text| text.split("\n\n"))
        .filter_map(|part| {
            let (above, rest) = part.split_once("\npub struct ")?;
            let (name, fields) = rest.split_once(" {\n")?;
            Some((name, above, fields))
        })
        .collect();
    let mut read = 0;
    for (name, above, fields) in &structs {
        // These are never an answer by themselves.
        if !above.contains("Deserialize") || ["Page<T>", "JobEvent"].contains(name) {
            continue;
        }
        read += 1;
        let mut is_flat = false;
        for line in fields.lines().map(str::trim) {
            let Some((field, of)) = line.strip_prefix("pub ").and_then(|l| l.split_once(": "))
            else {
                is_flat |= line == "#[serde(flatten)]";
                continue;
            };
            // No examples of arrays are taken for a list of structs.
            let within = of.trim_end_matches([',', '>']).rsplit(['<', ' ']).next().unwrap();
            let is_struct = structs.iter().any(|(name, ..)| *name == within);
            assert!(!is_struct || is_flat || of.starts_with("Vec<"), "{name}.{field}: {of}");
            is_flat = false;
        }
    }
    assert!(read >= 12, "{read} models of {}", structs.len());
}
