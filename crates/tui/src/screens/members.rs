//! The members of a group, and what may be done with them: add, remove, change roles, leave, rename.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::conversation::Member;
use loquat_proto::{ConversationId, Page, PresenceState, Role, Timestamp, UserId};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::chats::presence_dot;
use super::info::role_menu;
use super::list::{Click, List as Cursor};
use super::menu::Menu;
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
    role: Role,
    list: List,
    /// Where the next page begins, if there is more.
    more: Option<String>,
    /// Whether the next page was asked for.
    asked: bool,
    cursor: Cursor,
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
#[derive(Debug, Clone)]
pub enum Wish {
    /// Change the group.
    Manage(GroupAction),
    /// Open the conversation with this member.
    Chat(UserId),
    /// Get the page that begins here.
    More(String),
    /// Let the user choose a role for the member under the cursor.
    Roles(Box<Menu>),
    /// Close the popup.
    Close,
}

impl Members {
    /// The members of this group, which are to be loaded; the own user has this role.
    #[must_use]
    pub fn new(conversation: ConversationId, title: &str, (me, role): (UserId, Role)) -> Self {
        Self {
            conversation,
            title: title.to_owned(),
            me,
            role,
            list: List::Loading,
            more: None,
            asked: false,
            cursor: Cursor::default(),
            mode: Mode::Browse,
            problem: None,
        }
    }

    /// The answer to loading a page: the first one, or one that begins where the last one ended.
    pub fn set(&mut self, from: Option<&str>, page: Result<Page<Member>, String>) {
        self.asked = false;
        let page = match page {
            Ok(page) => page,
            Err(reason) if from.is_none() => {
                self.list = List::Failed(reason);
                return;
            }
            Err(reason) => {
                self.problem = Some(reason);
                return;
            }
        };
        let mut members = match (&mut self.list, from) {
            (List::Loaded(members), Some(from)) if self.more.as_deref() == Some(from) => {
                std::mem::take(members)
            }
            (_, None) => Vec::new(),
            // A page of a list that was loaded anew meanwhile.
            _ => return,
        };
        members.extend(page.items);
        // Pages come in the server's order; what fits into one is shown by role.
        if from.is_none() && page.next_cursor.is_none() {
            members.sort_by(|one, other| {
                let by_name = || one.profile.display_name.cmp(&other.profile.display_name);
                other.role.cmp(&one.role).then_with(by_name)
            });
        }
        self.more = page.next_cursor;
        self.list = List::Loaded(members);
    }

    /// The group has another title, or the own user another role.
    pub fn update(&mut self, title: &str, role: Role) {
        title.clone_into(&mut self.title);
        self.role = role;
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
        let length = self.members().len();
        match key.code {
            KeyCode::Enter => {
                let user = self.under_cursor().map(|member| member.user);
                return user.filter(|user| *user != self.me).map(Wish::Chat);
            }
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
            KeyCode::Char('o') if is_plain(key) => return self.roles(),
            KeyCode::Char('l') if is_plain(key) => self.mode = Mode::Confirm(GroupAction::Leave),
            _ => {
                self.cursor.key(key, length);
            }
        }
        self.next_page()
    }

    /// The next page, once the cursor comes near the end of what is loaded.
    fn next_page(&mut self) -> Option<Wish> {
        let length = self.members().len();
        let is_near = self.cursor.at(length).is_none_or(|cursor| cursor + 20 >= length);
        let more = self.more.clone().filter(|_| is_near && !self.asked)?;
        self.asked = true;
        Some(Wish::More(more))
    }

    fn roles(&mut self) -> Option<Wish> {
        let member = self.under_cursor()?.clone();
        if member.user == self.me || member.role == Role::Owner || self.role < Role::Admin {
            self.problem = Some("Admins change the roles of others, but not the owner's".to_owned());
            return None;
        }
        let who = (member.user, member.profile.display_name.as_str(), member.role);
        Some(Wish::Roles(Box::new(role_menu(self.conversation, who, self.role))))
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect) -> Click {
        if !matches!(self.mode, Mode::Browse) {
            return Click::Beside;
        }
        let length = self.members().len();
        self.cursor.click(at, self.popup().inner(screen), (length, 1))
    }

    fn popup(&self) -> Popup<'_> {
        Popup { title: &self.title, keys: self.keys(), width: 58, height: 18 }
    }

    fn members(&self) -> &[Member] {
        match &self.list {
            List::Loaded(members) => members,
            List::Loading | List::Failed(_) => &[],
        }
    }

    fn under_cursor(&self) -> Option<&Member> {
        self.cursor.at(self.members().len()).map(|index| &self.members()[index])
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
                ("o", "role"),
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
        let inner = self.popup().draw(theme, screen, frame);
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
            GroupAction::Remove(user) => format!("Remove {}?", self.name_of(*user)),
            GroupAction::Leave => "Leave? You will no longer see it.".to_owned(),
            GroupAction::ChangeRole(..)
            | GroupAction::Add(_)
            | GroupAction::SetTitle(_)
            | GroupAction::Update(_)
            | GroupAction::Delete => "Go on?".to_owned(),
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
        self.cursor.draw(members.len(), theme, (area, frame), |index, room| {
            self.member_line(&members[index], people, theme, room)
        });
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
