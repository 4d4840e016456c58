byId("forget").addEventListener("click", () => { sessionStorage.removeItem(KEY); location.hash = ""; start(); });
window.addEventListener("hashchange", () => { choose().catch(showTrouble); });
start();
