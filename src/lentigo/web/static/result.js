// The slider over the photo; without this script the map stays at half strength.
const attention = document.getElementById("attention");
const strength = document.getElementById("strength");
strength.closest("[hidden]").hidden = false;
const show = () => attention.setAttribute("opacity", strength.value / 100);
strength.addEventListener("input", show);
show();
