// Makes the storefront stay where one is: without it, a form loads the page again, which shows the same.
const said = document.createElement('p');
said.className = 'toast';
said.setAttribute('role', 'status');
document.body.append(said);
let hiding;
const say = (text) => {
  said.textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => { said.textContent = ''; }, 5000);
};

// One after the other: the basket is a cookie, so each answer has what the request before it has added.
let added = Promise.resolve();
document.addEventListener('submit', (event) => {
  const form = event.target, submitter = event.submitter;
  if (!form.dataset.add) return;
  event.preventDefault();
  const body = new URLSearchParams([...new FormData(form, submitter)]);
  added = added.then(() => add(form, submitter, body));
});

async function add(form, submitter, body) {
  const name = form.dataset.add, card = form.closest('li[id]');
  try {
    const answer = await fetch(form.getAttribute('action'), { method: 'POST', body, headers: { Accept: 'text/html' } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const show = (selector, parent) => {
      const now = page.querySelector(selector), old = document.querySelector(selector);
      if (old && now) old.replaceWith(now);
      else if (now) parent.append(now);
    };
    show('header nav:last-of-type');
    show(card ? `#${CSS.escape(card.id)} .chosen` : '.product .chosen', card ? form : form.parentElement);
    say(`${name} is in the basket.`);
  } catch {
    // As if there were no script: the shop's own page says what is wrong.
    form.dataset.add = '';
    form.requestSubmit(submitter);
  }
}
