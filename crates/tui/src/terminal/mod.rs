//! The terminal's modes: taken over at the start, given back at the end, on a panic and while suspended.

mod careful;

use std::io::{self, Stdout, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
    KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Frame;

use self::careful::CarefulBackend;

/// Saves and restores the window's title (xterm, `CSI 22 ; 2 t`); terminals that do not know it ignore it.
const PUSH_TITLE: &str = "\x1b[22;2t";
const POP_TITLE: &str = "\x1b[23;2t";

/// Presses and the wheel, in the form that knows wide terminals (xterm modes 1000 and 1006). Movements are not asked for:
/// over a slow line they would be the most of what is sent.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// The terminal, taken over; giving it back when dropped.
#[derive(Debug)]
pub struct Terminal {
    inner: ratatui::Terminal<CarefulBackend<Stdout>>,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal over, and its mouse where that is wanted. A panic gives it back before it is reported.
    ///
    /// # Errors
    /// Standard output is no terminal, or does not obey.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            hook(info);
        }));
        take_over(mouse)?;
        let inner = ratatui::Terminal::new(CarefulBackend::new(io::stdout()))?;
        Ok(Self { inner, mouse })
    }

    /// Draws one frame: only what differs from the last one is written.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        // Terminals that know synchronised output show the frame at once; others ignore it.
        queue!(io::stdout(), BeginSynchronizedUpdate)?;
        let drawn = self.inner.draw(view).map(|_| ());
        execute!(io::stdout(), EndSynchronizedUpdate)?;
        drawn
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// The terminal does not say.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.inner.size().map(|size| (size.width, size.height))
    }

    /// Names the window.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn set_title(&mut self, unread: u64) -> io::Result<()> {
        let title = if unread == 0 { "Loquat".to_owned() } else { format!("Loquat ({unread})") };
        execute!(io::stdout(), SetTitle(title))
    }

    /// Asks the terminal to put a text on the clipboard (OSC 52). Many do, some ask or refuse; none answers.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(io::stdout(), Print(format!("\x1b]52;c;{}\x07", STANDARD.encode(text))))
    }

    /// Takes the mouse, or leaves it to the terminal.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn set_mouse(&mut self, mouse: bool) -> io::Result<()> {
        self.mouse = mouse;
        execute!(io::stdout(), Print(if mouse { MOUSE_ON } else { MOUSE_OFF }))
    }

    /// Gives the terminal back, stops the process until it is continued, and takes it over again.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        take_over(self.mouse)?;
        self.inner.clear()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

fn take_over(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    if mouse {
        execute!(io::stdout(), Print(MOUSE_ON))?;
    }
    execute!(
        io::stdout(),
        Print(PUSH_TITLE),
        EnterAlternateScreen,
        EnableBracketedPaste,
        EnableFocusChange,
        // So that Shift+Enter and Escape can be told from others, where the terminal can (kitty keyboard protocol).
        PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES)
    )
}

/// As it was before. What fails here cannot be mended: the terminal is gone.
fn restore() {
    let mut out = io::stdout();
    let _ = execute!(
        out,
        PopKeyboardEnhancementFlags,
        Print(MOUSE_OFF),
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show,
        Print(POP_TITLE)
    );
    let _ = disable_raw_mode();
    let _ = out.flush();
}
