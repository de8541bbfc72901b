//! The screens: each file holds one screen's state, what keys do to it, and how it is drawn.
//!
//! [`view`] is pure: the same state draws the same frame. To add a popup: a file here, a variant of
//! [`Overlay`], its keys in `app::overlay_keys`, its drawing in [`view`], and a command in `app::command`.

pub mod account;
pub mod bars;
pub mod chats;
pub mod compose;
pub mod confirm;
pub mod contacts;
pub mod conversation;
pub mod details;
pub mod devices;
pub mod emoji;
pub mod find_people;
pub mod help;
pub mod info;
pub mod invites;
pub mod join;
pub mod links;
pub mod list;
pub mod login;
pub mod members;
pub mod menu;
pub mod messages;
pub mod new_group;
pub mod password;
pub mod picker;
pub mod popup;
pub mod sheet;
pub mod switcher;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use self::conversation::view::HeaderView;
use crate::app::layout::{Layout, header_rows};
use crate::app::social::ContactBook;
use crate::app::{App, Focus};
use crate::text::width;

/// What lies above the rest and takes the keys.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// Every key.
    Help(help::Help),
    /// Find somebody to write to.
    NewChat(find_people::FindPeople),
    /// Make a group or a channel.
    NewGroup(new_group::NewGroup),
    /// The members of the open group.
    Members(members::Members),
    /// React to a message.
    Emoji(emoji::EmojiPicker),
    /// Who has a message.
    Details(details::Details),
    /// A question.
    Confirm(confirm::Confirm),
    /// A choice of one among a few.
    Menu(menu::Menu),
    /// Going to a conversation or a command.
    Switcher(switcher::Switcher),
    /// What a conversation is, and its settings.
    Info(info::Info),
    /// The own profile, privacy and settings.
    Account(account::Account),
    /// A new password, or the password once more.
    Password(password::Password),
    /// Contacts, requests and blocks.
    Contacts(contacts::Contacts),
    /// Where the user is signed in.
    Devices(devices::Devices),
    /// Invitations to a conversation.
    Invites(invites::Invites),
    /// Using an invitation.
    Join(join::Join),
    /// Finding messages.
    Search(messages::Search),
    /// Pinned messages.
    Pins(messages::Pins),
    /// Opening a web address.
    Links(links::Links),
}

/// Draws everything.
pub fn view(app: &App, frame: &mut Frame<'_>) {
    let screen = frame.area();
    if app.me.is_none() {
        app.login.draw(app.theme, screen, frame);
        if let Some(Overlay::Help(help)) = &app.overlay {
            help.draw(app.theme, screen, frame);
        }
        return;
    }
    let layout = Layout::of(app);
    if let (Some(area), Some(text)) = (layout.banner, bars::banner_text(app)) {
        bars::banner(app, &text, area, frame);
    }
    draw_chats(app, &layout, frame);
    draw_conversation(app, &layout, frame);
    bars::footer(app, layout.footer, frame);
    draw_overlay(app, screen, frame);
}

fn draw_chats(app: &App, layout: &Layout, frame: &mut Frame<'_>) {
    let Some(area) = layout.chats else { return };
    let theme = app.theme;
    let row = |offset: u16| Rect { y: area.y + offset, height: 1, ..area }.intersection(area);
    let place = if app.chats.archive { "  archive" } else { "" };
    let asking = match app.book.as_ref().map_or(0, ContactBook::incoming) {
        0 => String::new(),
        1 => "  1 asks: Ctrl+O".to_owned(),
        count => format!("  {count} ask: Ctrl+O"),
    };
    let title = vec![
        Span::styled(" Loquat", theme.accent()),
        Span::styled(place, theme.waiting()),
        Span::styled(asking, theme.waiting()),
    ];
    frame.render_widget(Line::from(title), row(0));
    let top = header_rows(area.height).min(area.height);
    if top > 1
        && let Some(me) = &app.me
    {
        let handle = if me.username == me.name { String::new() } else { format!("  @{}", me.username) };
        let who = width::truncate(&format!(" {}{handle}", me.name), usize::from(area.width));
        frame.render_widget(Line::styled(who, theme.quiet()), row(1));
        frame.render_widget(Line::styled("─".repeat(usize::from(area.width)), theme.quiet()), row(2));
    }
    let list = chats::list_area(area);
    let view = chats::ChatsView {
        chats: &app.chats,
        people: &app.people,
        clock: &app.clock,
        theme,
        focused: app.focus == Focus::Chats && app.overlay.is_none(),
        open: app.open.as_ref().filter(|_| layout.conversation.is_some()).map(|open| open.id),
    };
    chats::view(view, list, frame);
    if let Some(divider) = layout.divider {
        let compose =
            layout.conversation.as_ref().filter(|_| app.open.is_some()).map(|panes| panes.compose.y);
        let headings = (top > 1).then(|| divider.y + top - 1);
        for y in divider.y..divider.bottom() {
            let line = match Some(y) {
                row if row == headings && app.open.is_some() => "┼",
                row if row == headings => "┤",
                row if row == compose => "├",
                _ => "│",
            };
            frame.render_widget(Span::styled(line, theme.quiet()), Rect { y, height: 1, ..divider });
        }
    }
}

fn draw_conversation(app: &App, layout: &Layout, frame: &mut Frame<'_>) {
    let Some(panes) = &layout.conversation else { return };
    let theme = app.theme;
    let (Some(open), Some(size)) = (&app.open, app.pane_size(layout)) else {
        return draw_nothing_open(app, panes.messages, frame);
    };
    let header = HeaderView {
        row: app.chats.get(open.id),
        conversation: open,
        people: &app.people,
        clock: &app.clock,
        theme,
        narrow: layout.chats.is_none(),
        unread_elsewhere: app.chats.unread_elsewhere(open.id, app.clock.now),
    };
    conversation::view::header(header, panes.header, frame);
    conversation::view::messages(open, &size, panes.messages, frame);
    let focused = app.focus == Focus::Compose && app.overlay.is_none();
    let silent = app.why_silent();
    compose::view(
        compose::ComposeView { compose: &open.compose, theme, focused, silent },
        panes.compose,
        frame,
    );
    if focused {
        compose::completion(&open.compose, theme, panes.compose, frame);
    }
    let rule = Rect { height: panes.compose.height.min(1), ..panes.compose };
    conversation::view::jump(open, &size, rule, frame);
}

fn draw_nothing_open(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let text = if app.chats.loaded && app.chats.all().is_empty() {
        "Nobody here yet.\n\nPress n to find somebody by name,\ng to make a group, c to make a channel,\nor i if somebody gave you an invitation."
    } else {
        "Choose a chat with ↑ ↓\nand open it with Enter."
    };
    let rows = u16::try_from(text.lines().count()).unwrap_or(1);
    let middle =
        Rect { y: area.y + area.height.saturating_sub(rows) / 2, height: rows, ..area }.intersection(area);
    frame.render_widget(Paragraph::new(text).style(app.theme.quiet()).centered(), middle);
}

fn draw_overlay(app: &App, screen: Rect, frame: &mut Frame<'_>) {
    let theme = app.theme;
    match &app.overlay {
        None => {}
        Some(Overlay::Help(help)) => help.draw(theme, screen, frame),
        Some(Overlay::NewChat(popup)) => popup.draw(theme, screen, frame),
        Some(Overlay::NewGroup(popup)) => popup.draw(theme, screen, frame),
        Some(Overlay::Members(popup)) => popup.draw(&app.people, theme, screen, frame),
        Some(Overlay::Emoji(popup)) => popup.draw(theme, screen, frame),
        Some(Overlay::Confirm(popup)) => popup.draw(theme, screen, frame),
        Some(Overlay::Menu(popup)) => popup.draw(theme, screen, frame),
        Some(Overlay::Switcher(popup)) => popup.draw(app.choices(), theme, screen, frame),
        Some(Overlay::Password(popup)) => popup.draw(theme, screen, frame),
        Some(Overlay::Join(popup)) => popup.draw(theme, screen, frame),
        Some(Overlay::Links(popup)) => popup.draw(theme, screen, frame),
        Some(Overlay::Contacts(popup)) => popup.draw(app.contacts_view(), theme, screen, frame),
        Some(Overlay::Devices(popup)) => popup.draw(&app.clock, theme, screen, frame),
        Some(Overlay::Invites(popup)) => popup.draw(&app.clock, theme, screen, frame),
        Some(Overlay::Info(popup)) => {
            if let Some(view) = app.info_view(popup.conversation) {
                popup.draw(view, theme, screen, frame);
            }
        }
        Some(Overlay::Account(popup)) => {
            if let Some(view) = app.account_view() {
                popup.draw(view, theme, screen, frame);
            }
        }
        Some(Overlay::Search(popup)) => {
            if let Some(view) = app.messages_view() {
                popup.draw(view, theme, screen, frame);
            }
        }
        Some(Overlay::Pins(popup)) => {
            if let Some(view) = app.messages_view() {
                popup.draw(view, theme, screen, frame);
            }
        }
        Some(Overlay::Details(popup)) => {
            let timeline = app.open.as_ref().and_then(|open| open.timeline.as_ref());
            if let (Some(timeline), Some(me)) = (timeline, &app.me) {
                let view = details::DetailsView {
                    timeline,
                    me: me.id,
                    people: &app.people,
                    clock: &app.clock,
                    theme,
                };
                popup.draw(view, screen, frame);
            }
        }
    }
}
