/** The series of this browser, and of this browser alone. Nothing here talks to a server. */
const NAME = "lentigo", STORE = "photos";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function transact(mode, work) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

export const all = () => transact("readonly", (store) => store.getAll());

/** Keeps a photo, and asks the browser not to clear it away when its disk runs short. */
export async function add(photo) {
  await transact("readwrite", (store) => store.add(photo));
  navigator.storage?.persist?.().catch(() => {});
}

export const remove = (id) => transact("readwrite", (store) => store.delete(id));
export const clear = () => transact("readwrite", (store) => store.clear());
