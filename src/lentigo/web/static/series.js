// The series of this browser on a page of the server, which knows nothing of them.
import { Shelf } from "./shelf.js";
import { speaker } from "./speech.js";

const place = document.getElementById("shelf");
new Shelf(place).show(speaker(JSON.parse(place.dataset.words)), document.documentElement.lang);
