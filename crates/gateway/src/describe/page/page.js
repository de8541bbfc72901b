// Shows the two documents of the service. Everything is written as text nodes: nothing of a document becomes markup.
"use strict";

const make = (name, options, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(options ?? {})) {
    if (key === "class") element.className = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

// The little Markdown that the documents use: paragraphs, `code` and **strong**.
const inline = (text) =>
  text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 1) return make("code", null, part.slice(1, -1));
    if (part.startsWith("**") && part.length > 3) return make("strong", null, part.slice(2, -2));
    return part;
  });
const prose = (text) => (text ?? "").split(/\n\n+/).filter(Boolean).map((part) => make("p", null, ...inline(part)));

const pointer = (root, reference) =>
  reference
    .replace(/^#\//, "")
    .split("/")
    .reduce((value, key) => value?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], root);
const nameOf = (reference) => reference.split("/").pop();

const kindOf = (schema) => {
  if (schema === true || schema === undefined) return "anything";
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map(kindOf).join(" | ");
  if (schema.allOf) return schema.allOf.map(kindOf).join(" & ");
  const types = [].concat(schema.type ?? "anything");
  return types.map((type) => (type === "array" ? `[${kindOf(schema.items)}]` : type)).join(" | ");
};

const boundsOf = (schema) => {
  const bounds = [];
  const span = (least, most, unit) => {
    if (least !== undefined && most !== undefined) bounds.push(`${least} to ${most}${unit}`);
    else if (least !== undefined) bounds.push(`at least ${least}${unit}`);
    else if (most !== undefined) bounds.push(`at most ${most}${unit}`);
  };
  span(schema.minimum, schema.maximum, "");
  span(schema.minLength, schema.maxLength, " characters");
  span(schema.minItems, schema.maxItems, " entries");
  if (schema.pattern) bounds.push(`like ${schema.pattern}`);
  if (schema.default !== undefined && schema.default !== null) bounds.push(`default ${JSON.stringify(schema.default)}`);
  return bounds.join(", ");
};

// A schema's fields as a list. References open when they are asked for, so that those in a circle end.
const fieldsOf = (root, schema, depth = 0) => {
  if (!schema || schema === true) return null;
  if (schema.$ref) {
    const target = pointer(root, schema.$ref);
    if (!target) return null;
    if (depth === 0) return fieldsOf(root, target, 1);
    const open = make("details", null, make("summary", null, nameOf(schema.$ref)));
    open.addEventListener("toggle", () => {
      if (open.open && open.childElementCount === 1) open.append(fieldsOf(root, target, 1) ?? make("p", { class: "quiet" }, kindOf(target)));
    });
    return open;
  }
  if (schema.type === "array" || (Array.isArray(schema.type) && schema.items)) return fieldsOf(root, schema.items, depth);
  const list = make("ul", { class: "fields" });
  for (const part of [...(schema.allOf ?? []), ...(schema.oneOf ?? []), ...(schema.anyOf ?? [])]) {
    if (part.type === "null") continue;
    const fields = fieldsOf(root, part, depth + 1);
    if (fields) list.append(make("li", null, part.description ? make("span", { class: "quiet" }, part.description) : null, fields));
  }
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const needed = (schema.required ?? []).includes(name);
    const bounds = boundsOf(field);
    list.append(
      make(
        "li",
        null,
        make("code", null, name + (needed ? "" : "?")),
        ` ${kindOf(field)} `,
        bounds ? make("span", { class: "quiet" }, `(${bounds}) `) : null,
        ...inline(field.description ?? ""),
        nested(root, field),
      ),
    );
  }
  return list.childElementCount ? list : null;
};
const nested = (root, field) => {
  const inner = field.$ref ? field : (field.items?.$ref ? field.items : (field.anyOf ?? field.oneOf ?? []).find((part) => part.$ref));
  const target = inner && pointer(root, inner.$ref);
  return target?.properties || target?.oneOf || target?.anyOf ? fieldsOf(root, inner, 1) : null;
};

const entries = [];
const entry = (section, id, method, title, summary, ...content) => {
  const box = make(
    "details",
    { class: "entry", id },
    make("summary", null, make("span", { class: "method" }, method), " ", make("code", null, title), make("span", { class: "what" }, summary)),
    make("div", null, ...content),
  );
  section.append(box);
  entries.push({ box, section, text: `${method} ${title} ${box.textContent}`.toLowerCase() });
};
const block = (title, ...content) => {
  const shown = content.filter(Boolean);
  return shown.length ? make("div", null, make("h3", null, title), ...shown) : null;
};

const newSection = (title, about) => {
  const id = title.toLowerCase().replaceAll(/[^a-z]+/g, "-");
  const section = make("section", { "aria-labelledby": id }, make("h2", { id }, title), ...prose(about));
  document.getElementById("content").append(section);
  document.getElementById("sections").append(make("li", null, make("a", { href: `#${id}` }, title)));
  return section;
};

const showCalls = (api) => {
  newSection("Calls", api.info.description);
  for (const tag of api.tags) {
    const section = newSection(tag.name, tag.description);
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const [method, call] of Object.entries(methods)) {
        if (call.tags[0] !== tag.name) continue;
        const rows = (call.parameters ?? []).map((parameter) =>
          make(
            "tr",
            null,
            make("td", null, make("code", null, parameter.name)),
            make("td", { class: "quiet" }, parameter.in + (parameter.required ? "" : ", optional")),
            make("td", null, kindOf(parameter.schema), " ", ...inline(parameter.description ?? parameter.schema.description ?? "")),
          ),
        );
        const body = call.requestBody?.content["application/json"].schema;
        const answers = Object.entries(call.responses).map(([status, answer]) => {
          const full = answer.$ref ? pointer(api, answer.$ref) : answer;
          const schema = answer.$ref ? null : full.content?.["application/json"]?.schema;
          return make(
            "tr",
            null,
            make("td", null, make("code", null, status)),
            make("td", null, ...inline(full.description), schema ? make("div", null, make("span", { class: "quiet" }, kindOf(schema)), fieldsOf(api, schema)) : null),
          );
        });
        entry(
          section,
          call.operationId,
          method.toUpperCase(),
          path,
          call.summary,
          ...prose(call.description),
          call.security.length ? null : make("p", { class: "quiet" }, "Needs no access token."),
          rows.length ? block("Parameters", make("table", null, make("tbody", null, ...rows))) : null,
          body ? block("Body", make("span", { class: "quiet" }, kindOf(body)), fieldsOf(api, body)) : null,
          block("Answers", make("table", null, make("tbody", null, ...answers))),
        );
      }
    }
  }
};

const showSocket = (api) => {
  const about = newSection("The socket", api.info.description);
  about.append(make("p", null, "Open it at ", make("code", null, api.channels.socket.address), "."));
  const sections = {
    receive: newSection("Frames from clients", ""),
    send: newSection("Pushes of the service", ""),
  };
  for (const [name, operation] of Object.entries(api.operations)) {
    const messageOf = (reference) => pointer(api, pointer(api, reference.$ref).$ref);
    const message = messageOf(operation.messages[0]);
    const replies = (operation.reply?.messages ?? []).map((reference) => {
      const reply = messageOf(reference);
      return make("div", null, make("p", { class: "quiet" }, reply.summary), fieldsOf(api, reply.payload));
    });
    entry(
      sections[operation.action],
      `socket-${name}`,
      operation.action === "receive" ? "FRAME" : "PUSH",
      message.payload.properties.op?.const ?? name,
      message.summary,
      block("Fields", fieldsOf(api, message.payload)),
      replies.length ? block("Answers", ...replies) : null,
    );
  }
};

const search = (words) => {
  let found = 0;
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const { box, text } of entries) {
    box.hidden = !wanted.every((word) => text.includes(word));
    found += box.hidden ? 0 : 1;
  }
  for (const section of document.querySelectorAll("section")) {
    const boxes = [...section.querySelectorAll(".entry")];
    section.hidden = wanted.length > 0 && boxes.every((box) => box.hidden);
  }
  document.getElementById("count").textContent = wanted.length ? `${found} found` : `${entries.length} calls and frames`;
};

const openTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
};

const start = async () => {
  const read = async (path) => {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer.json();
  };
  try {
    const [calls, socket] = await Promise.all([read("/v1/openapi.json"), read("/v1/asyncapi.json")]);
    document.getElementById("loading").remove();
    showCalls(calls);
    showSocket(socket);
    search("");
    openTarget();
  } catch (error) {
    document.getElementById("loading").textContent = `The documents could not be read: ${error.message}`;
  }
};

document.getElementById("search").addEventListener("input", (event) => search(event.target.value));
addEventListener("hashchange", openTarget);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
    event.preventDefault();
    document.getElementById("search").focus();
  }
});
start();
