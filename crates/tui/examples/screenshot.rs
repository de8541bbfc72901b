//! Draws the scene of the README as an SVG picture, through the real view.
//!
//! `cargo run -p loquat-tui --example screenshot -- docs/pictures/chat.svg`

mod scene;

use std::fmt::Write as _;
use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use loquat_tui::app::{App, Message};
use loquat_tui::screens;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// Pixels of a column and a row, at this size of the font.
const COLUMN: f32 = 8.4;
const ROW: f32 = 18.0;
const FONT_SIZE: f32 = 14.0;

/// Space around the terminal, and the bar of its window.
const MARGIN: f32 = 14.0;
const BAR: f32 = 30.0;

const BACKGROUND: &str = "#1b1d23";
const FOREGROUND: &str = "#d7dae0";

fn main() -> std::io::Result<()> {
    let path = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| "docs/pictures/chat.svg".into()));
    let mut app = scene::group(108, 36);
    scene::send(&mut app, Message::Key(KeyEvent::new(KeyCode::End, KeyModifiers::CONTROL)));
    for character in "I have jars enough for all of it. Come at".chars() {
        scene::send(&mut app, Message::Key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE)));
    }
    let svg = picture(&app);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, svg)
}

/// The whole picture: a window, and the terminal in it.
fn picture(app: &App) -> String {
    let (width, height) = app.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend has no errors");
    terminal.draw(|frame| screens::view(app, frame)).expect("a test backend has no errors");
    let cursor = terminal.get_cursor_position().expect("a test backend has no errors");
    let buffer = terminal.backend().buffer();

    let wide = f32::from(width) * COLUMN + 2.0 * MARGIN;
    let high = f32::from(height) * ROW + 2.0 * MARGIN + BAR;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide:.0} {high:.0}\" width=\"{wide:.0}\" \
         height=\"{high:.0}\" font-family=\"'DejaVu Sans Mono','Menlo','Consolas',monospace,'Noto Color Emoji'\" font-size=\"{FONT_SIZE}\" \
         role=\"img\" aria-label=\"Loquat in a terminal: a list of conversations, and a group chat\">\n\
         <rect width=\"{wide:.0}\" height=\"{high:.0}\" rx=\"10\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (index, colour) in ["#ff5f57", "#febc2e", "#28c840"].into_iter().enumerate() {
        let x = 20.0 + 20.0 * index as f32;
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"18\" r=\"6\" fill=\"{colour}\"/>");
    }
    for y in 0..height {
        row(buffer, y, &mut svg);
    }
    let (x, y) = place(cursor.x, cursor.y);
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{COLUMN}\" height=\"{ROW}\" fill=\"{FOREGROUND}\" opacity=\"0.7\"/>"
    );
    svg.push_str("</svg>\n");
    svg
}

/// One row: runs of cells that look alike, each at its own column, so that no font can shift the rest.
fn row(buffer: &Buffer, y: u16, svg: &mut String) {
    let mut x = 0;
    while x < buffer.area.width {
        let first = &buffer[(x, y)];
        let start = x;
        let mut text = String::new();
        loop {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(symbol);
            x += u16::try_from(symbol.width().max(1)).unwrap_or(1);
            if x >= buffer.area.width {
                break;
            }
            let next = &buffer[(x, y)];
            if looks(next) != looks(first) || !joins(&text, next.symbol()) {
                break;
            }
        }
        run(first, (start, x - start, y), &text, svg);
    }
}

/// Whether a symbol belongs to the run before it. Wide and unusual symbols stand alone, because fonts disagree about
/// their widths; a script that is written from right to left stays together, or its letters would not connect.
fn joins(run: &str, symbol: &str) -> bool {
    let rightward = run.chars().next().is_some_and(is_right_to_left);
    let next_rightward = symbol.chars().next().is_some_and(is_right_to_left);
    match rightward {
        true => next_rightward || symbol == " " && !run.ends_with(' ') || symbol == "!",
        false => run.is_ascii() && symbol.is_ascii(),
    }
}

fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}')
}

fn looks(cell: &Cell) -> (Color, Color, Modifier) {
    (cell.fg, cell.bg, cell.modifier)
}

fn run(cell: &Cell, (start, columns, row): (u16, u16, u16), text: &str, svg: &mut String) {
    let (mut front, mut back) = (colour(cell.fg, FOREGROUND), colour(cell.bg, BACKGROUND));
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut front, &mut back);
    }
    let (x, y) = place(start, row);
    let wide = f32::from(columns) * COLUMN;
    if back != BACKGROUND {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{ROW}\" fill=\"{back}\"/>"
        );
    }
    let mut attributes = String::new();
    if cell.modifier.contains(Modifier::DIM) {
        attributes.push_str(" opacity=\"0.55\"");
    }
    if let Some(lines) = drawn_lines(text, x, y) {
        let _ = writeln!(svg, "<path d=\"{lines}\" fill=\"{front}\"{attributes}/>");
        return;
    }
    if text.trim().is_empty() {
        return;
    }
    if cell.modifier.contains(Modifier::BOLD) {
        attributes.push_str(" font-weight=\"bold\"");
    }
    if cell.modifier.contains(Modifier::ITALIC) {
        attributes.push_str(" font-style=\"italic\"");
    }
    if text.len() > 1 && text.is_ascii() {
        let _ = write!(attributes, " textLength=\"{wide:.1}\" lengthAdjust=\"spacing\"");
    }
    let baseline = y + ROW * 0.74;
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{baseline:.1}\" fill=\"{front}\" xml:space=\"preserve\"{attributes}>{escaped}</text>"
    );
}

/// Box-drawing characters as shapes that meet at the edges of their cells, whatever the font.
fn drawn_lines(text: &str, x: f32, y: f32) -> Option<String> {
    let (left, right, up, down) = match text {
        "─" => (true, true, false, false),
        "│" => (false, false, true, true),
        "┼" => (true, true, true, true),
        "├" => (false, true, true, true),
        "┤" => (true, false, true, true),
        "▌" => return Some(format!("M{x:.1} {y:.1}h{:.1}v{ROW}h-{:.1}z", COLUMN / 2.0, COLUMN / 2.0)),
        _ => return None,
    };
    let (middle_x, middle_y) = (x + COLUMN / 2.0, y + ROW / 2.0);
    let mut path = String::new();
    if left || right {
        let from = if left { x } else { middle_x };
        let to = if right { x + COLUMN } else { middle_x };
        let _ = write!(path, "M{from:.1} {:.1}H{to:.1}v1H{from:.1}z", middle_y - 0.5);
    }
    if up || down {
        let from = if up { y } else { middle_y };
        let to = if down { y + ROW } else { middle_y };
        let _ = write!(path, "M{:.1} {from:.1}V{to:.1}h1V{from:.1}z", middle_x - 0.5);
    }
    Some(path)
}

fn place(column: u16, row: u16) -> (f32, f32) {
    (MARGIN + f32::from(column) * COLUMN, BAR + MARGIN + f32::from(row) * ROW)
}

/// A palette of its own for the terminal's sixteen colours.
fn colour(colour: Color, otherwise: &'static str) -> &'static str {
    match colour {
        Color::Black => "#1b1d23",
        Color::Red => "#e06c75",
        Color::Green => "#98c379",
        Color::Yellow => "#e5c07b",
        Color::Blue => "#61afef",
        Color::Magenta => "#c678dd",
        Color::Cyan => "#56b6c2",
        Color::Gray | Color::White => "#d7dae0",
        Color::DarkGray => "#7f848e",
        Color::LightRed => "#ff8a80",
        Color::LightGreen => "#b5e08d",
        Color::LightYellow => "#ffd58a",
        Color::LightBlue => "#82aaff",
        Color::LightMagenta => "#f093d5",
        Color::LightCyan => "#7fdbe8",
        _ => otherwise,
    }
}
