//! How one entry of a timeline is drawn, as lines: pure, so that scrolling can measure with what drawing uses.
//!
//! An entry's lines begin with what separates it from the one before: a day divider, the divider of unread messages,
//! a blank line and the sender's name where another one speaks.

use loquat_client::view::{MessageStatus, MessageView, Notice, NoticeKind, ReplyPreview, TimelineItem};
use loquat_proto::event::{MemberBody, MemberChange, SettingsBody};
use loquat_proto::{Nonce, Role, Seq, UserId};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::app::Me;
use crate::text::time::Clock;
use crate::text::{links, width, wrap};
use crate::theme::Theme;

/// Messages of one sender follow each other without a new name when they are closer than this, in milliseconds.
const SAME_BREATH: i64 = 10 * 60 * 1000;

/// Columns on the left: the mark of the selection and a space.
const MARGIN: usize = 2;

/// Columns on the right: a space, the time, a space, two ticks.
const GUTTER: usize = 9;

/// Text is not drawn wider than this: longer lines are hard to read.
const WIDEST_TEXT: usize = 100;

/// What marks the selected entry and a quotation.
const BAR: &str = "▌";

/// What names an entry, whatever is loaded around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// An entry of the log.
    Log(Seq),
    /// An own message in the queue.
    Queued(Nonce),
}

impl Key {
    /// The name of this entry.
    #[must_use]
    pub fn of(item: &TimelineItem) -> Self {
        match item {
            TimelineItem::Message(view) => match (view.seq(), &view.nonce) {
                (None, Some(nonce)) => Self::Queued(nonce.clone()),
                _ => Self::Log(view.message.seq),
            },
            TimelineItem::Notice(notice) => Self::Log(notice.seq),
        }
    }
}

/// What drawing an entry depends on besides the entries.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// Now, and the zone.
    pub clock: &'a Clock,
    /// Colours.
    pub theme: Theme,
    /// Whose view it is.
    pub me: &'a Me,
    /// Columns of the pane.
    pub width: usize,
    /// The divider of unread messages stands behind this `seq`.
    pub divider: Option<Seq>,
    /// The entry under the cursor.
    pub selected: Option<&'a Key>,
    /// Whose messages are hidden.
    pub blocked: &'a std::collections::HashSet<UserId>,
}

impl Context<'_> {
    fn text_columns(&self) -> usize {
        self.width.saturating_sub(MARGIN + GUTTER).clamp(8, WIDEST_TEXT)
    }
}

/// The lines of the entry at `index`.
#[must_use]
pub fn lines(items: &[TimelineItem], index: usize, context: &Context<'_>) -> Vec<Line<'static>> {
    let item = &items[index];
    let previous = index.checked_sub(1).and_then(|before| items.get(before));
    let mut lines = Vec::new();
    let parted = push_dividers(previous, item, context, &mut lines);
    match item {
        TimelineItem::Message(view) => {
            if parted || !same_breath(previous, item, view) {
                if !parted && previous.is_some() {
                    lines.push(Line::default());
                }
                lines.push(name_line(view, context));
            }
            push_message(view, context, &mut lines);
        }
        TimelineItem::Notice(notice) => {
            let text = notice_text(notice, context.me);
            let after_message = matches!(previous, Some(TimelineItem::Message(_)));
            if after_message && !parted {
                lines.push(Line::default());
            }
            lines.extend(wrap::lines(&text, context.width.saturating_sub(4)).map(|line| {
                let mark = mark(&Key::of(item), context);
                let missing = context.width.saturating_sub(MARGIN + width::columns(line)) / 2;
                Line::from(vec![
                    mark,
                    Span::raw(" ".repeat(missing)),
                    Span::styled(line.to_owned(), context.theme.quiet()),
                ])
            }));
        }
    }
    lines
}

/// The day divider and the divider of unread messages, where they belong. Says whether there is one.
fn push_dividers(
    previous: Option<&TimelineItem>,
    item: &TimelineItem,
    context: &Context<'_>,
    lines: &mut Vec<Line<'static>>,
) -> bool {
    let day = context.clock.day(item.ts());
    let new_day = previous.is_none_or(|previous| context.clock.day(previous.ts()) != day);
    if new_day {
        if previous.is_some() {
            lines.push(Line::default());
        }
        lines.push(rule(&context.clock.day_label(day), context.theme.quiet(), context.width));
    }
    let first_unread = context.divider.is_some_and(|read| {
        item.seq().is_some_and(|seq| seq > read)
            && previous.is_none_or(|previous| previous.seq() <= Some(read))
    });
    if first_unread {
        lines.push(rule("New messages", context.theme.unread(), context.width));
    }
    new_day || first_unread
}

/// A line across the pane with a label in the middle.
fn rule(label: &str, style: Style, columns: usize) -> Line<'static> {
    let label = format!(" {} ", width::truncate(label, columns.saturating_sub(6)));
    let rest = columns.saturating_sub(width::columns(&label) + 2);
    let left = rest / 2;
    let text = format!(" {}{label}{} ", "─".repeat(left), "─".repeat(rest - left));
    Line::styled(text, style)
}

fn same_breath(previous: Option<&TimelineItem>, item: &TimelineItem, view: &MessageView) -> bool {
    previous.is_some_and(|previous| match previous {
        TimelineItem::Message(before) => {
            before.message.sender == view.message.sender && item.ts() - previous.ts() < SAME_BREATH
        }
        TimelineItem::Notice(_) => false,
    })
}

fn name_line(view: &MessageView, context: &Context<'_>) -> Line<'static> {
    let sender = view.message.sender;
    let (name, style) = if sender == context.me.id {
        ("You".to_owned(), context.theme.own_name())
    } else {
        let name = view.sender_name.clone().unwrap_or_else(|| unknown_name(sender));
        (name, context.theme.name(sender))
    };
    let name = width::truncate(&name, context.text_columns());
    Line::from(vec![Span::raw(" ".repeat(MARGIN)), Span::styled(name, style)])
}

/// A name for a user whose profile has not come yet.
#[must_use]
pub fn unknown_name(user: UserId) -> String {
    format!("user {user}")
}

fn push_message(view: &MessageView, context: &Context<'_>, lines: &mut Vec<Line<'static>>) {
    let columns = context.text_columns();
    let key = if let (None, Some(nonce)) = (view.seq(), &view.nonce) {
        Key::Queued(nonce.clone())
    } else {
        Key::Log(view.message.seq)
    };
    let mark = mark(&key, context);
    let margin = || vec![mark.clone(), Span::raw(" ")];

    let is_hidden = context.blocked.contains(&view.message.sender);
    if let Some(reply) = view.reply.as_ref().filter(|_| !is_hidden) {
        let mut quote = margin();
        quote.extend(quotation(reply, columns, context));
        lines.push(Line::from(quote));
    } else if view.message.reply_to.is_some() {
        let mut quote = margin();
        quote.push(Span::styled(format!("{BAR} an earlier message"), context.theme.quiet()));
        lines.push(Line::from(quote));
    }

    for (row, spans) in body_lines(view, columns, context).into_iter().enumerate() {
        let mut line = Line::from(margin());
        line.extend(spans);
        if row == 0 {
            let filled = line.width();
            let gap = (MARGIN + columns + 1).saturating_sub(filled);
            line.push_span(Span::raw(" ".repeat(gap)));
            line.extend(gutter(view, context));
        }
        lines.push(line);
    }

    if !view.message.reactions.is_empty() {
        lines.extend(reaction_lines(view, columns, context).into_iter().map(|spans| {
            let mut line = margin();
            line.extend(spans);
            Line::from(line)
        }));
    }
    if let Some(MessageStatus::Failed(error)) = &view.status {
        let reason = if error.detail.is_empty() { error.code.title() } else { error.detail.as_str() };
        for text in wrap::lines(&format!("Not sent: {reason}"), columns) {
            let mut line = margin();
            line.push(Span::styled(text.to_owned(), context.theme.wrong()));
            lines.push(Line::from(line));
        }
    }
}

fn mark(key: &Key, context: &Context<'_>) -> Span<'static> {
    if context.selected == Some(key) { Span::styled(BAR, context.theme.accent()) } else { Span::raw(" ") }
}

fn quotation(reply: &ReplyPreview, columns: usize, context: &Context<'_>) -> Vec<Span<'static>> {
    let (name, style) = if reply.sender == context.me.id {
        ("You".to_owned(), context.theme.own_name())
    } else {
        let name = reply.sender_name.clone().unwrap_or_else(|| unknown_name(reply.sender));
        (name, context.theme.name(reply.sender))
    };
    let name = width::truncate(&name, columns / 3);
    let text = if context.blocked.contains(&reply.sender) {
        "message of somebody you block"
    } else {
        reply.text.as_deref().unwrap_or("deleted message")
    };
    let room = columns.saturating_sub(4 + width::columns(&name));
    vec![
        Span::styled(format!("{BAR} "), style.remove_modifier(Modifier::BOLD)),
        Span::styled(name, style.remove_modifier(Modifier::BOLD)),
        Span::styled(format!("  {}", width::truncate(text, room)), context.theme.quiet()),
    ]
}

fn body_lines(view: &MessageView, columns: usize, context: &Context<'_>) -> Vec<Vec<Span<'static>>> {
    let theme = context.theme;
    if context.blocked.contains(&view.message.sender) {
        let style = theme.quiet().add_modifier(Modifier::ITALIC);
        return vec![vec![Span::styled("message of somebody you block", style)]];
    }
    let Some(text) = view.message.text.as_deref() else {
        let style = theme.quiet().add_modifier(Modifier::ITALIC);
        return vec![vec![Span::styled("message deleted", style)]];
    };
    let mut lines: Vec<Vec<Span<'static>>> =
        wrap::lines(text, columns).map(|line| mentioned(line, view, context)).collect();
    let attachments = view.message.attachments.len();
    if attachments > 0 {
        let noun = if attachments == 1 { "file" } else { "files" };
        lines.push(vec![Span::styled(format!("[{attachments} {noun}]"), theme.quiet())]);
    }
    let labels = [(view.message.edited_at.is_some(), "edited"), (view.message.pinned, "◆ pinned")];
    for (_, label) in labels.into_iter().filter(|(holds, _)| *holds) {
        let label = Span::styled(label, theme.quiet().add_modifier(Modifier::ITALIC));
        let used = lines.last().map_or(0, |spans| spans.iter().map(Span::width).sum());
        match lines.last_mut() {
            Some(last) if used + label.width() + 2 <= columns => last.extend([Span::raw("  "), label]),
            _ => lines.push(vec![label]),
        }
    }
    lines
}

/// A line of text with addresses marked, and the own `@name` where the message mentions the own user.
fn mentioned(line: &str, view: &MessageView, context: &Context<'_>) -> Vec<Span<'static>> {
    let name = view.message.mentions.contains(&context.me.id).then(|| format!("@{}", context.me.username));
    let mut spans = Vec::new();
    let plain = |part: &str, spans: &mut Vec<Span<'static>>| match &name {
        None => spans.push(Span::raw(part.to_owned())),
        Some(name) => {
            for (position, part) in part.split(name.as_str()).enumerate() {
                if position > 0 {
                    spans.push(Span::styled(name.clone(), context.theme.accent()));
                }
                spans.push(Span::raw(part.to_owned()));
            }
        }
    };
    let mut at = 0;
    for link in links::ranges(line) {
        plain(&line[at..link.start], &mut spans);
        spans.push(Span::styled(line[link.clone()].to_owned(), context.theme.link()));
        at = link.end;
    }
    plain(&line[at..], &mut spans);
    spans
}

/// The time and, behind own messages, the ticks.
fn gutter(view: &MessageView, context: &Context<'_>) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled(context.clock.time_of_day(view.message.ts), context.theme.quiet())];
    if let Some(status) = &view.status {
        spans.push(Span::raw(" "));
        spans.push(tick(status, view.change_queued, context.theme));
    } else if view.change_queued {
        spans.push(Span::styled(" ◷", context.theme.waiting()));
    }
    spans
}

/// How far an own message has come, in two columns at most.
#[must_use]
pub fn tick(status: &MessageStatus, change_queued: bool, theme: Theme) -> Span<'static> {
    match status {
        MessageStatus::Failed(_) => Span::styled("!", theme.wrong()),
        MessageStatus::Queued => Span::styled("◷", theme.waiting()),
        _ if change_queued => Span::styled("◷", theme.waiting()),
        MessageStatus::Sent => Span::styled("✓", theme.quiet()),
        MessageStatus::Delivered => Span::styled("✓✓", theme.quiet()),
        MessageStatus::Read => Span::styled("✓✓", theme.read()),
    }
}

fn reaction_lines(view: &MessageView, columns: usize, context: &Context<'_>) -> Vec<Vec<Span<'static>>> {
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let mut used = 0;
    for reaction in &view.message.reactions {
        let (text, style) = if reaction.me {
            (format!("[{} {}]", reaction.emoji, reaction.count), context.theme.accent())
        } else {
            (format!(" {} {} ", reaction.emoji, reaction.count), context.theme.plain())
        };
        let text = width::truncate(&text, columns);
        let wide = width::columns(&text);
        if used > 0 && used + 1 + wide > columns {
            lines.push(Vec::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(Span::raw(" "));
                used += 1;
            }
            line.push(Span::styled(text, style));
            used += wide;
        }
    }
    lines
}

/// What a notice says, in words.
#[must_use]
pub fn notice_text(notice: &Notice, me: &Me) -> String {
    let actor = person(notice.sender, notice.sender_name.as_deref(), me, true);
    match &notice.what {
        NoticeKind::Member(body, name) => member_text(&actor, body, name.as_deref(), me),
        NoticeKind::Settings(SettingsBody { title: Some(title), .. }) if notice.seq == 1 => {
            format!("{actor} created “{title}”")
        }
        NoticeKind::Settings(settings) => settings_text(&actor, settings),
    }
}

fn member_text(actor: &str, body: &MemberBody, name: Option<&str>, me: &Me) -> String {
    let begins = person(body.user, name, me, true);
    let inside = person(body.user, name, me, false);
    let oneself = body.by == body.user;
    match body.change {
        MemberChange::Joined if oneself => format!("{begins} joined"),
        MemberChange::Joined => format!("{actor} added {inside}"),
        MemberChange::Left => format!("{begins} left"),
        MemberChange::Removed => format!("{actor} removed {inside}"),
        MemberChange::Role => {
            let verb = if body.user == me.id { "are" } else { "is" };
            match body.role {
                Role::Owner => format!("{begins} {verb} the owner now"),
                Role::Admin => format!("{begins} {verb} an admin now"),
                Role::Member => format!("{begins} {verb} a member now"),
                Role::Guest => format!("{begins} {verb} a guest now"),
            }
        }
    }
}

fn settings_text(actor: &str, settings: &SettingsBody) -> String {
    if let Some(title) = &settings.title {
        return format!("{actor} changed the title to “{title}”");
    }
    let what = if settings.description.is_some() {
        "the description"
    } else if settings.avatar.is_some() {
        "the picture"
    } else if settings.retention.is_some() {
        "how long messages are kept"
    } else if settings.permissions.is_some() {
        "the permissions"
    } else {
        "the settings"
    };
    format!("{actor} changed {what}")
}

fn person(user: UserId, name: Option<&str>, me: &Me, begins: bool) -> String {
    match name {
        _ if user == me.id => if begins { "You" } else { "you" }.to_owned(),
        Some(name) => name.to_owned(),
        None => unknown_name(user),
    }
}
