/** Short words at the bottom of the page; some can be undone for a while. */
export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'error';
  action: { label: string; run(): void } | null;
}

class Toasts {
  list = $state<Toast[]>([]);
  #last = 0;

  show(text: string, options: { tone?: Toast['tone']; action?: Toast['action']; ms?: number } = {}): number {
    this.#last += 1;
    const id = this.#last;
    // Three at most: more would cover what they are about.
    this.list = [...this.list.slice(-2), { id, text, tone: options.tone ?? 'plain', action: options.action ?? null }];
    setTimeout(() => this.dismiss(id), options.ms ?? 5000);
    return id;
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
