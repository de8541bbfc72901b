import './styles/base.css';
import { mount } from 'svelte';
import { App } from './state/app.svelte';
import { settings } from './state/settings.svelte';
import { startServiceWorker, startWorker } from './scripts';
import Root from './ui/Root.svelte';

settings.apply();
settings.follow();

const app = new App(startWorker());
const target = document.getElementById('app');
if (target) mount(Root, { target, props: { app } });
startServiceWorker();
