//! Enough of a shell to see which commands a line gives: quotes, comments, pipes, redirections. Nothing is expanded.

/// Lines, with those that a backslash continues in one.
pub(crate) fn lines<'a>(text: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text {
        let (line, continues) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match whole.last_mut() {
            Some(last) if goes_on => last.push_str(line),
            _ => whole.push(line.to_owned()),
        }
        goes_on = continues;
    }
    whole
}

/// The arguments of each `atalaia` that the line runs.
pub(crate) fn runs(line: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for words in commands(line) {
        let is_before =
            |word: &&String| word.contains('=') || ["$", "sudo", "time", "exec", "if", "!"].contains(&word.as_str());
        let command: Vec<String> = words.iter().skip_while(is_before).cloned().collect();
        if command.first().is_some_and(|word| word == "atalaia") {
            found.push(command);
        }
    }
    found
}

/// The words of each command of the line, without redirections.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut letters = line.chars().peekable();
    let mut is_target = false;
    let end = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>, is_target: &mut bool| {
        if let Some(word) = word.take()
            && !std::mem::take(is_target)
        {
            commands.last_mut().expect("one at least").push(word);
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                word.extend(letters.by_ref().take_while(|next| *next != letter));
            }
            '#' if word.is_none() => break,
            ' ' | '\t' => end(&mut word, &mut commands, &mut is_target),
            '>' | '<' if letters.peek() != Some(&'(') => {
                // A number before it is a descriptor.
                word = word.filter(|word| word.parse::<u8>().is_err());
                end(&mut word, &mut commands, &mut is_target);
                is_target = true;
            }
            '|' | ';' | '(' | ')' | '&' if !(letter == '&' && is_target) => {
                end(&mut word, &mut commands, &mut is_target);
                commands.push(Vec::new());
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    end(&mut word, &mut commands, &mut is_target);
    commands
}

#[test]
fn a_line_is_read_as_a_shell_would() {
    let of = |line: &str| runs(line).iter().map(|words| words[1..].join(" ")).collect::<Vec<_>>();
    for (line, expected) in [
        ("atalaia run -c 'a b.toml'  # not `atalaia x`", vec!["run -c a b.toml"]),
        ("zcat x | atalaia preview --set a=- 2>&1 | jq 'select(.x | .y)'", vec!["preview --set a=-"]),
        ("A=b sudo atalaia man > file; atalaia health && echo well", vec!["man", "health"]),
        ("source <(atalaia completions bash)", vec!["completions bash"]),
        ("cp atalaia /usr/bin", vec![]),
        ("# atalaia run", vec![]),
    ] {
        assert_eq!(of(line), expected, "{line}");
    }
    assert_eq!(lines("a \\\n  b\nc".lines()), ["a   b", "c"]);
}
