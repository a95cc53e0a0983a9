// The second step by a passkey: what the authenticator signs is sent with the form.

const button = document.getElementById("use-passkey");
const form = document.getElementById("second");

button.addEventListener("click", async () => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(button.dataset.options));
  try {
    const credential = await navigator.credentials.get({ publicKey });
    form.elements.passkey.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch {
    button.textContent = "That did not work. Try again?";
  }
});
