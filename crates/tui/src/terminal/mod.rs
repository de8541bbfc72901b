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

/// The terminal, taken over; giving it back when dropped.
#[derive(Debug)]
pub struct Terminal {
    inner: ratatui::Terminal<CarefulBackend<Stdout>>,
}

impl Terminal {
    /// Takes the terminal over. A panic gives it back before it is reported.
    ///
    /// # Errors
    /// Standard output is no terminal, or does not obey.
    pub fn enter() -> io::Result<Self> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            hook(info);
        }));
        take_over()?;
        let inner = ratatui::Terminal::new(CarefulBackend::new(io::stdout()))?;
        Ok(Self { inner })
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

    /// Gives the terminal back, stops the process until it is continued, and takes it over again.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        take_over()?;
        self.inner.clear()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
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
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show,
        Print(POP_TITLE)
    );
    let _ = disable_raw_mode();
    let _ = out.flush();
}
