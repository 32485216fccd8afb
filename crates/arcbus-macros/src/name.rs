//! The default name of a message type, taken from the words of the type's name.

/// Returns the words of a type's name in lower case, with the first word last. So `CreateUser` becomes
/// `user.create`, `SetAccountLimit` becomes `account_limit.set`, and `Ping` becomes `ping`.
pub(crate) fn of_type(ident: &str) -> String {
    let words = words(ident);
    match words.split_first() {
        Some((verb, object)) if !object.is_empty() => format!("{}.{verb}", object.join("_")),
        _ => words.concat(),
    }
}

/// Splits a name before each capital that follows a small letter or a digit. A row of capitals is also split
/// before its last capital, if a small letter follows.
fn words(ident: &str) -> Vec<String> {
    let letters: Vec<char> = ident.chars().collect();
    let mut words = vec![String::new()];
    for (index, &letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(index + 1);
        let begins = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if begins || letter == '_' {
            words.push(String::new());
        }
        if letter != '_' {
            let word = words.last_mut().expect("there is one");
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::of_type;

    #[test]
    fn the_first_word_of_a_type_stands_last_in_its_name() {
        let names = [
            ("CreateUser", "user.create"),
            ("SetAccountLimit", "account_limit.set"),
            ("Ping", "ping"),
            ("GetHTTPStatus", "http_status.get"),
            ("ParseJSON", "json.parse"),
            ("GetUserV2", "user_v2.get"),
            ("Get2FaCode", "fa_code.get2"),
            ("SetX", "x.set"),
            ("HTTPGet", "get.http"),
            ("get_user", "user.get"),
            ("_GetUser", "user.get"),
            ("ÄndereÖl", "öl.ändere"),
        ];
        for (ident, name) in names {
            assert_eq!(of_type(ident), name, "{ident}");
        }
    }
}
