import './styles/base.css';
import { mount } from 'svelte';
import { App } from './state/app.svelte';
import { settings } from './state/settings.svelte';
import { startServiceWorker, startWorker } from './scripts';
import Root from './ui/Root.svelte';

/** A part of the client that is not there any more, since the service was updated: the page of now knows its parts. */
const RELOADED = 'loquat-reloaded';
addEventListener('vite:preloadError', () => {
  if (Date.now() - Number(sessionStorage.getItem(RELOADED) ?? 0) < 60_000) return;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  location.reload();
});

settings.apply();
settings.follow();

const app = new App(startWorker());
const target = document.getElementById('app');
if (target) mount(Root, { target, props: { app } });
startServiceWorker();
