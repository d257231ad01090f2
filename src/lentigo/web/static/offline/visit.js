/** On a server's pages: keeps the offline app, once the page itself is there. */

import { keepForLater } from "./keeping.js";

const keep = () => keepForLater("/").catch((error) => console.info(`not kept: ${error.message}`));
addEventListener("load", () => setTimeout(keep, 1000));
