//! `loquat send` and `loquat tail` between two users, and their exit codes.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{PASSWORD, Place, Service, complaint, loquat};

/// A user's commands on a device of their own.
struct User<'a> {
    name: &'static str,
    place: &'a Place,
    server: String,
}

impl User<'_> {
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = loquat();
        command.args(arguments).args([
            "--user",
            self.name,
            "--sign-up",
            "--data",
            &self.place.text(self.name),
        ]);
        command.env("LOQUAT_SERVER", &self.server).env("LOQUAT_PASSWORD", PASSWORD);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        // A command that reads nothing may have ended.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        child.wait_with_output().expect("the command ends")
    }
}

fn user<'a>(name: &'static str, place: &'a Place, service: &Service) -> User<'a> {
    User { name, place, server: service.url() }
}

fn texts(output: &Output) -> Vec<String> {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = |line| -> String {
        let message: Value = serde_json::from_str(line).expect("a line is a JSON object");
        message["text"].as_str().expect("a message has a text").to_owned()
    };
    lines.lines().map(text).collect()
}

#[test]
fn a_text_piped_through_one_user_comes_out_at_the_other() {
    let place = Place::new();
    let service = place.serve();
    let (mira, noor) = (user("mira", &place, &service), user("noor", &place, &service));
    assert!(noor.run(&["tail"], "").status.success());

    let poem = "so much depends\nupon\n\na red wheel\nbarrow 🌧\n";
    let sent = mira.run(&["send", "--to", "noor", "--lines"], poem);
    assert!(sent.status.success(), "{}", complaint(&sent));
    let whole = mira.run(&["send", "--to", "noor"], poem);
    assert!(whole.status.success(), "{}", complaint(&whole));
    assert!(service.stop().success());

    // The other one comes back after the service did.
    let service = place.serve();
    let noor = user("noor", &place, &service);
    let read = noor.run(&["tail", "--with", "mira", "--json", "--all"], "");
    assert!(read.status.success(), "{}", complaint(&read));
    let expected = ["so much depends", "upon", "a red wheel", "barrow 🌧", poem.trim_end()];
    assert_eq!(texts(&read), expected);
    let again = noor.run(&["tail", "--with", "mira", "--json", "-n", "2"], "");
    assert_eq!(texts(&again), expected[3..]);
}

#[test]
fn scripts_can_tell_failures_apart() {
    let place = Place::new();
    let service = place.serve();
    let (mira, noor) = (user("mira", &place, &service), user("noor", &place, &service));
    assert!(noor.run(&["tail"], "").status.success());
    let code = |arguments: &[&str], input: &str| mira.run(arguments, input).status.code();
    assert_eq!(code(&["send", "--to", "nobody_here", "hello"], ""), Some(1), "refused");
    assert_eq!(code(&["send", "hello"], ""), Some(2), "no target");
    assert_eq!(code(&["send", "--to", "noor"], ""), Some(2), "nothing to send");
    service.kill();
    assert_eq!(code(&["tail", "--timeout", "0.2"], ""), Some(3), "out of reach");
}
