//! The members of a group, and what may be done with them: add, remove, change roles, leave, rename.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::conversation::Member;
use loquat_proto::{ConversationId, PresenceState, Role, Timestamp, UserId};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::chats::presence_dot;
use super::picker::{Picked, Picker};
use super::popup::{Field, Popup, draw_field};
use crate::app::effect::GroupAction;
use crate::app::people::People;
use crate::editor::Editor;
use crate::keys::{edit_field, is_plain};
use crate::text::width::{fit, truncate};
use crate::theme::Theme;

/// Columns of the role: the longest has five letters, and a space.
const ROLE_COLUMNS: usize = 6;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Members {
    /// Which group.
    pub conversation: ConversationId,
    title: String,
    me: UserId,
    list: List,
    cursor: usize,
    mode: Mode,
    problem: Option<String>,
}

#[derive(Debug, Clone)]
enum List {
    Loading,
    Loaded(Vec<Member>),
    Failed(String),
}

#[derive(Debug, Clone)]
enum Mode {
    Browse,
    Add(Picker),
    Rename(Editor),
    Confirm(GroupAction),
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Change the group.
    Manage(GroupAction),
    /// Open the conversation with this member.
    Chat(UserId),
    /// Close the popup.
    Close,
}

impl Members {
    /// The members of this group, which are to be loaded.
    #[must_use]
    pub fn new(conversation: ConversationId, title: &str, me: UserId) -> Self {
        Self {
            conversation,
            title: title.to_owned(),
            me,
            list: List::Loading,
            cursor: 0,
            mode: Mode::Browse,
            problem: None,
        }
    }

    /// The answer to loading.
    pub fn set(&mut self, members: Result<Vec<Member>, String>) {
        self.list = match members {
            Ok(mut members) => {
                members.sort_by(|one, other| {
                    other
                        .role
                        .cmp(&one.role)
                        .then_with(|| one.profile.display_name.cmp(&other.profile.display_name))
                });
                self.cursor = self.cursor.min(members.len().saturating_sub(1));
                List::Loaded(members)
            }
            Err(reason) => List::Failed(reason),
        };
    }

    /// The group has another title now.
    pub fn set_title(&mut self, title: &str) {
        title.clone_into(&mut self.title);
    }

    /// What became of the last change.
    pub fn managed(&mut self, result: Result<(), String>) {
        self.problem = result.err();
    }

    /// The picker of "add", for searches and their answers.
    pub fn picker(&mut self) -> Option<&mut Picker> {
        match &mut self.mode {
            Mode::Add(picker) => Some(picker),
            _ => None,
        }
    }

    /// The same, to look at.
    #[must_use]
    pub fn picker_deadline(&self) -> Option<Timestamp> {
        match &self.mode {
            Mode::Add(picker) => picker.deadline(),
            _ => None,
        }
    }

    /// Pasted text goes to the field that is open.
    pub fn paste(&mut self, text: &str, now: Timestamp) {
        match &mut self.mode {
            Mode::Add(picker) => picker.paste(text, now),
            Mode::Rename(title) => {
                title.insert(text.trim());
            }
            Mode::Browse | Mode::Confirm(_) => {}
        }
    }

    /// A key at this moment.
    pub fn key(&mut self, key: KeyEvent, now: Timestamp) -> Option<Wish> {
        if key.code == KeyCode::Esc {
            let was = std::mem::replace(&mut self.mode, Mode::Browse);
            return matches!(was, Mode::Browse).then_some(Wish::Close);
        }
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => self.browse(key),
            Mode::Add(mut picker) => match picker.key(key, now) {
                Picked::People(people) => {
                    let users = people.iter().map(|person| person.id).collect();
                    Some(Wish::Manage(GroupAction::Add(users)))
                }
                Picked::Nothing => {
                    self.mode = Mode::Add(picker);
                    None
                }
            },
            Mode::Rename(title) => self.rename(title, key),
            Mode::Confirm(action) => {
                if matches!(key.code, KeyCode::Char('y' | 'Y')) {
                    return Some(Wish::Manage(action));
                }
                None
            }
        }
    }

    fn rename(&mut self, mut title: Editor, key: KeyEvent) -> Option<Wish> {
        if key.code == KeyCode::Enter {
            let title = title.text().trim().to_owned();
            let changed = !title.is_empty() && title != self.title;
            return changed.then_some(Wish::Manage(GroupAction::SetTitle(title)));
        }
        edit_field(&mut title, key);
        self.mode = Mode::Rename(title);
        None
    }

    fn browse(&mut self, key: KeyEvent) -> Option<Wish> {
        self.problem = None;
        let last = self.members().len().saturating_sub(1);
        match key.code {
            KeyCode::Up => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Down => self.cursor = (self.cursor + 1).min(last),
            KeyCode::Enter => {
                return self
                    .under_cursor()
                    .map(|member| member.user)
                    .filter(|user| *user != self.me)
                    .map(Wish::Chat);
            }
            KeyCode::Char('k') if is_plain(key) => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Char('j') if is_plain(key) => self.cursor = (self.cursor + 1).min(last),
            KeyCode::Char('a') if is_plain(key) => {
                let present: Vec<UserId> = self.members().iter().map(|member| member.user).collect();
                self.mode = Mode::Add(Picker::new(true, present));
            }
            KeyCode::Char('t') if is_plain(key) => {
                let mut title = Editor::single_line(512);
                title.set(&self.title);
                self.mode = Mode::Rename(title);
            }
            KeyCode::Char('x') | KeyCode::Delete if is_plain(key) => {
                if let Some(user) = self.under_cursor().map(|member| member.user) {
                    let action = if user == self.me { GroupAction::Leave } else { GroupAction::Remove(user) };
                    self.mode = Mode::Confirm(action);
                }
            }
            KeyCode::Char('o') if is_plain(key) => {
                if let Some((user, role)) = self.other_role() {
                    self.mode = Mode::Confirm(GroupAction::ChangeRole(user, role));
                }
            }
            KeyCode::Char('l') if is_plain(key) => self.mode = Mode::Confirm(GroupAction::Leave),
            _ => {}
        }
        None
    }

    /// Member and admin change places.
    fn other_role(&self) -> Option<(UserId, Role)> {
        let member = self.under_cursor()?;
        match member.role {
            Role::Guest | Role::Member => Some((member.user, Role::Admin)),
            Role::Admin => Some((member.user, Role::Member)),
            Role::Owner => None,
        }
    }

    fn members(&self) -> &[Member] {
        match &self.list {
            List::Loaded(members) => members,
            List::Loading | List::Failed(_) => &[],
        }
    }

    fn under_cursor(&self) -> Option<&Member> {
        self.members().get(self.cursor)
    }

    fn name_of(&self, user: UserId) -> &str {
        self.members()
            .iter()
            .find(|member| member.user == user)
            .map_or("this member", |member| member.profile.display_name.as_str())
    }

    fn keys(&self) -> &'static [(&'static str, &'static str)] {
        match &self.mode {
            Mode::Browse => &[
                ("a", "add"),
                ("x", "remove"),
                ("o", "admin"),
                ("t", "title"),
                ("l", "leave"),
                ("Esc", "close"),
            ],
            Mode::Add(_) => &[("Enter", "add, then done"), ("Esc", "back")],
            Mode::Rename(_) => &[("Enter", "rename"), ("Esc", "back")],
            Mode::Confirm(_) => &[("y", "yes"), ("Esc", "no")],
        }
    }

    /// Draws the popup.
    pub fn draw(&self, people: &People, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let popup = Popup { title: &self.title, keys: self.keys(), width: 58, height: 18 };
        let inner = popup.draw(theme, screen, frame);
        match &self.mode {
            Mode::Add(picker) => return picker.draw(theme, inner, frame),
            Mode::Rename(title) => {
                let first = Rect { height: 1, ..inner }.intersection(inner);
                return draw_field(Field::of("Title", "", title, true), theme, first, frame);
            }
            Mode::Browse | Mode::Confirm(_) => {}
        }
        let question = match &self.mode {
            Mode::Confirm(action) => Some(self.question(action)),
            _ => None,
        };
        let bottom = question.map(|text| (text, theme.accent()));
        let bottom = bottom.or_else(|| self.problem.clone().map(|text| (text, theme.wrong())));
        let list = Rect { height: inner.height.saturating_sub(u16::from(bottom.is_some()) * 2), ..inner };
        self.draw_list(people, theme, list, frame);
        if let Some((text, style)) = bottom {
            let place = Rect { y: inner.bottom().saturating_sub(1), height: 1, ..inner }.intersection(inner);
            let text = truncate(&text, usize::from(inner.width));
            frame.render_widget(Line::styled(text, style), place);
        }
    }

    fn question(&self, action: &GroupAction) -> String {
        match action {
            GroupAction::Remove(user) => format!("Remove {} from the group?", self.name_of(*user)),
            GroupAction::ChangeRole(user, Role::Admin) => format!("Make {} an admin?", self.name_of(*user)),
            GroupAction::ChangeRole(user, _) => format!("Make {} an ordinary member?", self.name_of(*user)),
            GroupAction::Leave => "Leave the group? You will no longer see it.".to_owned(),
            GroupAction::Add(_) | GroupAction::SetTitle(_) => "Go on?".to_owned(),
        }
    }

    fn draw_list(&self, people: &People, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
        let members = match &self.list {
            List::Loading => return frame.render_widget(Line::styled("Loading…", theme.quiet()), area),
            List::Failed(reason) => {
                return frame.render_widget(Line::styled(reason.clone(), theme.wrong()), area);
            }
            List::Loaded(members) => members,
        };
        let fitting = usize::from(area.height).max(1);
        let first = (self.cursor + 1).saturating_sub(fitting);
        for (index, member) in members.iter().enumerate().skip(first).take(fitting) {
            let y = area.y + u16::try_from(index - first).unwrap_or(u16::MAX);
            let place = Rect { y, height: 1, ..area }.intersection(area);
            frame.render_widget(self.member_line(member, people, theme, usize::from(area.width)), place);
            if index == self.cursor {
                frame.buffer_mut().set_style(place, theme.cursor_row());
            }
        }
    }

    fn member_line(&self, member: &Member, people: &People, theme: Theme, room: usize) -> Line<'static> {
        let role = match member.role {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Guest => "guest",
            Role::Member => "",
        };
        let own = member.user == self.me;
        let state = if own {
            PresenceState::Online
        } else {
            people.presence(member.user).map_or(PresenceState::Offline, |presence| presence.state)
        };
        let name = if own {
            format!("{} (you)", member.profile.display_name)
        } else {
            member.profile.display_name.clone()
        };
        let handle = format!("@{}", member.profile.username);
        let name_room = room.saturating_sub(ROLE_COLUMNS + 4) * 3 / 5;
        let handle_room = room.saturating_sub(ROLE_COLUMNS + 4 + name_room);
        Line::from(vec![
            Span::raw(" "),
            presence_dot(state, theme),
            Span::raw(" "),
            Span::raw(fit(&name, name_room)),
            Span::raw(" "),
            Span::styled(fit(&handle, handle_room), theme.quiet()),
            Span::styled(fit(role, ROLE_COLUMNS), theme.accent()),
        ])
    }
}
