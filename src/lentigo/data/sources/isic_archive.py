"""The table that the ISIC Archive's own `isic-cli` writes, `metadata.csv`."""

from __future__ import annotations

from lentigo.data.sources.listing import Item, Listing, Row

# Parts of the Archive's diagnosis path (diagnosis_1 to diagnosis_5) and HAM10000's code
# for them; the first that occurs decides.
_HAM10000_PARTS = (
    ("Melanoma", "mel"),
    ("Basal cell carcinoma", "bcc"),
    ("actinic", "akiec"),
    ("Squamous cell carcinoma in situ", "akiec"),
    ("Bowen", "akiec"),
    ("Fibro-histiocytic", "df"),
    ("Dermatofibroma", "df"),
    ("Vascular", "vasc"),
    ("keratosis", "bkl"),
    ("Benign epidermal proliferations", "bkl"),
    ("Solar lentigo", "bkl"),
    ("Nevus", "nv"),
)
LICENSES = {"CC-0": "CC0-1.0", "CC-BY": "CC-BY-4.0", "CC-BY-NC": "CC-BY-NC-4.0"}
DIAGNOSIS_COLUMNS = tuple(f"diagnosis_{level}" for level in range(1, 6))


def ham10000_item(listing: Listing, row: Row) -> Item:
    """One image of the Archive's HAM10000 collection, under HAM10000's seven codes.

    A diagnosis that fits no code becomes a problem of the listing.
    """
    named = [row.known(column) for column in DIAGNOSIS_COLUMNS]
    path = ":".join(part for part in named if part) or row.known("diagnosis")
    label = next((code for part, code in _HAM10000_PARTS if part.lower() in path.lower()), None)
    if not label:
        listing.problems.append(f"{row.where}: the diagnosis {path!r} is none of HAM10000's.")
    return Item(
        image_id=row.known("isic_id"),
        label=label,
        where=row.where,
        license=LICENSES.get(row.known("copyright_license"), ""),
        lesion_id=row.known("lesion_id"),
        patient_id=row.known("patient_id"),
        diagnosis=path,
        confirmed_by=row.known("diagnosis_confirm_type"),
        age=listing.age(row, "age_approx"),
        sex=row.known("sex"),
        site=row.known("anatom_site_general"),
    )
