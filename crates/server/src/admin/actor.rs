//! Who an operator is, as the operating system says.

use std::fs;
use std::io;

use loquat_domain::admin::Actor;
use rustix::process::geteuid;
use tokio::net::UnixStream;

const ROOT: u32 = 0;

/// What the kernel says of a process that no login stands behind (`audit_getloginuid`).
const NO_LOGIN: u32 = u32::MAX;

/// Who is at the other end; `None` if it is neither root nor this process's own user.
pub(super) fn of_peer(stream: &UnixStream) -> io::Result<Option<Actor>> {
    let peer = stream.peer_cred()?;
    let process = peer.pid().map_or_else(String::new, |pid| pid.to_string());
    Ok(is_operator(peer.uid(), geteuid().as_raw()).then(|| describe(peer.uid(), login(&process))))
}

/// Who runs this process.
pub(crate) fn of_this_process() -> Actor {
    describe(geteuid().as_raw(), login("self"))
}

const fn is_operator(peer: u32, own: u32) -> bool {
    peer == ROOT || peer == own
}

/// Who logged in before becoming who the process runs as; the kernel keeps it through `sudo` and `su`.
fn login(process: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|login| *login != NO_LOGIN)
}

fn describe(user: u32, login: Option<u32>) -> Actor {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = name(&users, user);
    match login {
        Some(login) if login != user => Actor(format!("{name} (login {})", self::name(&users, login))),
        _ => Actor(name),
    }
}

/// A user's name by `passwd(5)`, or the number.
fn name(users: &str, user: u32) -> String {
    let number = user.to_string();
    let entry = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut found = entry.filter(|fields| fields.get(2) == Some(&number.as_str()));
    found.next().and_then(|fields| fields.first().map(ToString::to_string)).unwrap_or(format!("uid {user}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_own_user_are_operators_and_nobody_else() {
        for (peer, own, may) in
            [(0, 1000, true), (1000, 1000, true), (1001, 1000, false), (1000, 0, false), (0, 0, true)]
        {
            assert_eq!(is_operator(peer, own), may, "{peer} at {own}");
        }
    }

    #[test]
    fn users_have_their_names() {
        let users = "root:x:0:0:root:/root:/bin/bash\nmira:x:1000:1000::/home/mira:/bin/sh\nbroken\n";
        for (user, expected) in [(0, "root"), (1000, "mira"), (1001, "uid 1001")] {
            assert_eq!(name(users, user), expected);
        }
    }

    #[test]
    fn this_process_is_somebody() {
        assert!(!of_this_process().0.is_empty());
    }
}
