/**
 * A long press of a finger, for browsers that do not tell of it as `contextmenu`: Safari on phones and tablets. Where the
 * browser tells of it, this does nothing.
 */
const SILENT = /iPhone|iPad/.test(navigator.userAgent) || (/Mac/.test(navigator.platform) && navigator.maxTouchPoints > 1);

/** How long a press is long, in milliseconds, and how far the finger may stray, in pixels. */
const LONG = 450;
const STRAY = 10;

/** To be attached to the element that is pressed. */
export function longPress(pressed: (x: number, y: number) => void) {
  return (element: HTMLElement) => {
    if (!SILENT) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let from = { x: 0, y: 0 };
    const start = ({ touches }: TouchEvent) => {
      clearTimeout(timer);
      const [touch] = touches;
      if (!touch || touches.length > 1) return;
      from = { x: touch.clientX, y: touch.clientY };
      timer = setTimeout(() => pressed(from.x, from.y), LONG);
    };
    const move = ({ touches: [touch] }: TouchEvent) => {
      if (touch && Math.hypot(touch.clientX - from.x, touch.clientY - from.y) > STRAY) clearTimeout(timer);
    };
    const end = () => clearTimeout(timer);
    element.addEventListener('touchstart', start, { passive: true });
    element.addEventListener('touchmove', move, { passive: true });
    element.addEventListener('touchend', end);
    element.addEventListener('touchcancel', end);
    return () => {
      clearTimeout(timer);
      element.removeEventListener('touchstart', start);
      element.removeEventListener('touchmove', move);
      element.removeEventListener('touchend', end);
      element.removeEventListener('touchcancel', end);
    };
  };
}
