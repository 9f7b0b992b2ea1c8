"""The gate of identifiers: what is found and missed, what is done, and that no value gets through.

All values are invented: placeholder names, numbers of ranges that nobody has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.clinical.cleaning import RARE
from bioloom.formats.table import read_table
from bioloom.privacy import actions, dates, names, samples, values
from bioloom.privacy.identifiers import find
from bioloom.samples import feature_columns
from bioloom.samples.quality import quality
from tests.tiny_project import Project
from tests.toys import refused

DATA = Path(__file__).parents[1] / "data"
ROWS = 40
FIRST = "Jane John Erika Max Joe Mary Fulano Mengano Testa Probe".split()
LAST = "Placeholder Example Mustermann Samplesson Testperson Nobody Anyone Specimen".split()
Make = Callable[[Random, int], str]


def day(random: Random) -> tuple[int, int, int]:
    return random.randint(1925, 2004), random.randint(1, 12), random.randint(1, 28)


def digits(length: int) -> Make:
    return lambda random, i: str(random.randint(10 ** (length - 1), 10**length - 1))


def one_of(*values: str) -> Make:
    return lambda random, i: random.choice(values)


def iban(random: Random, i: int) -> str:
    account = f"{i:018d}"
    check = 98 - int(account + str(int("D", 36)) + str(int("E", 36)) + "00") % 97
    return f"DE{check:02d}{account}"


def pesel(random: Random, i: int) -> str:
    body = f"9900{random.randint(0, 999999):06d}"
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
    return body + str(-sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 10)


def written(form: str) -> Make:
    def make(random: Random, i: int) -> str:
        year, month, first = day(random)
        serial = dates.serial(dates.date(year, month, first))
        return form.format(y=year, m=month, d=first, s=serial)

    return make


FULL_NAME: Make = lambda r, i: f"{r.choice(FIRST)} {r.choice(LAST)}"  # noqa: E731
TOWN: Make = lambda r, i: f"Testville {r.choice('ABCDEFGHIJKL')}"  # noqa: E731
STREET: Make = lambda r, i: f"{r.randint(1, 999)} Example Street, Testville"  # noqa: E731
PHONE: Make = lambda r, i: f"+1-{r.randint(200, 989)}-555-01{i:02d}"  # noqa: E731
EMAIL: Make = lambda r, i: f"test{i:04d}@example.org"  # noqa: E731
SSN: Make = lambda r, i: f"987-65-43{20 + i % 10}"  # noqa: E731
CODE: Make = lambda r, i: f"{r.choice('HKL')}{r.randint(10**7, 10**8 - 1)}"  # noqa: E731
PLATE: Make = lambda r, i: f"TST {r.randint(1000, 9999)}"  # noqa: E731
URL: Make = lambda r, i: f"https://example.org/p/{i}"  # noqa: E731
IP: Make = lambda r, i: f"192.0.2.{i}"  # noqa: E731
KEY: Make = lambda r, i: "".join(r.choices("abcdefgHIJKLMN0123456789+/", k=28))  # noqa: E731
PICTURE: Make = lambda r, i: f"faces/IMG_{i:04d}.jpg"  # noqa: E731
HASH: Make = lambda r, i: f"{r.getrandbits(128):032x}"  # noqa: E731
AGE: Make = lambda r, i: str(r.randint(40, 97))  # noqa: E731
# Kind -> columns with plain, disguised and foreign names, each after the form of its values.
FIXTURE: dict[str, list[tuple[Make, str, str, str]]] = {
    names.NAMES: [
        (FULL_NAME, "name patient_name", "pt_nm contact physician mother v01", "姓名 氏名 фамилия"),
        (one_of(*FIRST), "first_name", "fname", "Vorname nom imie prénom"),
        (one_of(*LAST), "last name", "LName",
         "Nachname apellido cognome achternaam soyadı efternamn"),
        (one_of("JX", "QP", "MQ", "ZK", "XR", "QJ", "ZZ"), "initials", "rater initials2 v02", ""),
    ],
    names.PLACES: [
        (STREET, "street address", "addr addr1 residence v03",
         "adresse 住所 Anschrift indirizzo morada"),
        (TOWN, "city county", "district birthplace location",
         "ville город Wohnort ciudad miasto şehir"),
        (digits(5), "zip zip_code", "zip5 postal v04",
         "PLZ codigo_postal kod_pocztowy 邮编 postnummer"),
        (lambda r, i: f"{r.uniform(-60, 60):.5f}", "latitude", "lat", ""),
        (lambda r, i: f"{r.uniform(0, 9):.5f} -{r.uniform(0, 9):.5f}", "", "geo pos v05", ""),
    ],
    names.DATES: [
        (written("{y}-{m:02}-{d:02}"), "date_of_birth", "bday birth v06", "出生日期 生年月日"),
        (written("{d:02}.{m:02}.{y}"), "visit date", "dt_adm v07", "Geburtsdatum дата_рождения"),
        (written("{m:02}/{d:02}/{y}"), "admission_date", "admitted death v08",
         "fecha_nacimiento"),
        (written("{s}"), "dob", "discharge v09", "data_di_nascita data_urodzenia"),
        (written("{y}{m:02}{d:02}"), "birth_date", "visit_dt v10",
         "date_naissance geboortedatum"),
        (written("{d} March {y}"), "", "v11", "doğum_tarihi födelsedatum"),
        (written("{y}年{m:02}月{d:02}日"), "", "v12", "تاريخ_الميلاد data_nascimento"),
        (written("{y}"), "", "yob birth_year", ""),
    ],
    names.AGES: [
        (AGE, "age", "age_years ageAtDiagnosis",
         "Alter edad età idade leeftijd wiek yaş возраст 年龄"),
        (lambda r, i: str(r.randint(400, 1150)), "", "age_m age_months", "Alter_Monate"),
    ],
    names.PHONES: [
        (PHONE, "phone telephone mobile", "tel cell contact_no v13",
         "Telefon 电话 telefono телефон"),
        (lambda r, i: f"{r.randint(200, 989)}55501{i:02d}", "", "phone2 v14",
         "Handy telemóvel 電話番号"),
        (lambda r, i: f"(0{r.randint(20, 99)}) 555 0{i:03d}", "", "v15",
         "nr_telefonu telefoonnummer"),
    ],
    names.FAXES: [(PHONE, "fax fax_number", "fx office_fax", "Telefax 传真 faks")],
    names.EMAILS: [
        (EMAIL, "email e-mail", "em_addr contact_mail v16",
         "correo courriel 邮箱 Mailadresse e-posta")
    ],
    names.NATIONAL: [
        (SSN, "ssn social_security", "ss_no soc_sec v17", "身份证 CPF"),
        (digits(9), "passport_number", "national_insurance v18", "SVNR BSN personnummer"),
        (pesel, "", "v19", "PESEL NIR DNI"),
        (digits(4), "", "ssn4", ""),
    ],
    names.RECORDS: [
        (digits(7), "mrn record_number", "MRN1 hosp_nr chart case pid v20", "Fallnummer 病历号"),
        (CODE, "patient_id", "mr_num emr v21", "Patientennummer num_dossier historia_clinica"),
        (lambda r, i: f"{i:03d}{r.randint(100, 999)}", "", "lab_no v22", "nr_historii 診察券番号"),
    ],
    names.PLANS: [
        (CODE, "insurance_id", "policy member_no medicare payer_no hic",
         "Versichertennummer mutuelle"),
        (digits(9), "health plan number", "beneficiary", "Krankenkasse 医保号 polizza_no"),
    ],
    names.ACCOUNTS: [
        (iban, "account_number", "iban bank v23", "Kontonummer compte"),
        (digits(10), "account no", "acct billing_no", "cuenta 账号 rekeningnummer"),
    ],
    names.LICENCES: [
        (CODE, "license_number licence_no", "dl driver cert_no npi",
         "Führerschein permis licencia 驾照")
    ],
    names.VEHICLES: [
        (PLATE, "license_plate", "plate reg_no v24",
         "Kennzeichen matricula immatriculation kenteken"),
        (lambda r, i: f"1TSTA{r.randint(10, 99)}B{i:09d}", "vehicle_id", "vin v25", "targa"),
    ],
    names.DEVICES: [
        (CODE, "serial_number device_id", "pacemaker_sn serial udi implant", "Seriennummer 序列号"),
        (digits(15), "", "imei", "numero_serie"),
    ],
    names.URLS: [
        (URL, "url website", "web_url link profile v26", "Webseite pagina_web 网址"),
        (lambda r, i: f"@test{i:04d}", "", "twitter", ""),
    ],
    names.NETWORK: [
        (IP, "ip_address", "ip ipv4 host client_addr v27", "IP_Adresse direccion_ip"),
        (lambda r, i: f"00:00:5E:00:53:{i:02X}", "", "mac v28", ""),
        (lambda r, i: f"2001:db8:0:0:0:0:0:{i:x}", "", "v29", ""),
    ],
    names.BIOMETRIC: [
        (KEY, "fingerprint biometric", "voiceprint iris retina v30", "Fingerabdruck huella 指纹")
    ],
    names.PHOTOS: [
        (PICTURE, "photo", "image picture img_path face v31", "Foto Lichtbild 照片 写真 zdjęcie")
    ],
    names.OTHER: [
        (lambda r, i: f"{r.getrandbits(32):08x}-1955-4799-85bc-1f789f2872db", "uuid", "key v32",
         ""),
        (HASH, "", "hash token v33", "identifiant"),
        (CODE, "subject_id", "code study_no sample barcode index", "Kennung 编号"),
    ],
    names.FREE_TEXT: [
        (lambda r, i: f"seen on 0{1 + i % 9}/11/2022, called 212-555-01{i:02d}", "", "note v34",
         ""),
        (lambda r, i: f"see record 10{i:05d}" if i in (4, 9) else "", "", "comment", ""),
    ],
}  # fmt: skip
LEVELS = ("plain", "disguised", "languages")


def column(make: Make, seed: str) -> list[str | None]:
    random = Random(seed)
    return [make(random, i) or None for i in range(ROWS)]


def fixture(level: str) -> dict[str, dict[str, list[str | None]]]:
    """Kind -> column -> cells."""
    place = 1 + LEVELS.index(level)
    columns: dict[str, dict[str, list[str | None]]] = {}
    for kind, rows in FIXTURE.items():
        for row in rows:
            # Names of one or two words stand beside each other; those of two are listed here.
            for name in split(str(row[place])):
                columns.setdefault(kind, {})[name] = column(row[0], f"{kind} {name}")
    return columns


TWO_WORDS = (
    "last name", "street address", "visit date", "health plan number", "account no"
)  # fmt: skip


def split(listed: str) -> list[str]:
    return [listed] if listed in TWO_WORDS else listed.split()


def frame(columns: dict[str, list[str | None]]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype="str")


def found_of(level: str) -> tuple[int, int, list[str]]:
    """Columns found, all columns, and those missed; each stands in a table of its own."""
    columns = {n: cells for kind in fixture(level).values() for n, cells in kind.items()}
    missed = [name for name, cells in columns.items() if not find(frame({name: cells}))]
    return len(columns) - len(missed), len(columns), missed


@pytest.mark.slow
@pytest.mark.parametrize(("level", "missed"), [("plain", []), ("disguised", []), ("languages", [])])
def test_columns_of_the_18_kinds_are_found(level, missed):
    assert found_of(level)[2] == missed


HARMLESS: dict[str, Make] = {
    "sex": one_of("F", "M"),
    "age": digits(2),
    "age_band": one_of("60-69", "70-79"),
    "region": one_of("North", "South"),
    "year_of_diagnosis": one_of("2015", "2019"),
    "study_day": digits(3),
    "visit": one_of("baseline", "week 4", "month 3"),
    "gene": one_of("MAX", "KIT", "JUN", "ROS1"),
    "driver": one_of("PIK3CA", "ERBB2"),
    "hgvs": one_of("c.1799T>A", "c.35G>A"),
    "rsid": lambda r, i: f"rs{r.randint(10**7, 10**8)}",
    "transcript": lambda r, i: f"ENST{r.randint(0, 10**11 - 1):011d}",
    "hla": one_of("A*02:01", "DRB1*15:01"),
    "cytoband": one_of("7q34", "17p13.1"),
    "drug": one_of("Yasmin", "Ella", "Victoza"),
    "atc": one_of("B01AF01", "L01XC03"),
    "icd10": one_of("C50.9", "E11.9"),
    "icd9": one_of("410.71", "250.00"),
    "loinc": one_of("718-7", "2345-7", "2160-0"),
    "snomed": one_of("44054006", "254837009"),
    "eponym": one_of("Wilson disease", "Marfan syndrome"),
    "scale": one_of("Barthel 95", "Karnofsky 80", "Gleason 3+4"),
    "stage": one_of("pT3N1M0", "ypT1N0"),
    "organism": one_of("Escherichia coli", "Neisseria meningitidis"),
    "platelets_per_ul": digits(6),
    "read_count": digits(7),
    "ferritin": lambda r, i: f"{r.uniform(5, 400):.1f}",
    "dose": one_of("5 mg 0-0-1", "100 mg 1-0-1"),
    "software": one_of("1.10.0", "2.4.1"),
    "plate_well": lambda r, i: f"{r.choice('ABCDEFGH')}{r.randint(1, 12):02d}",
    "barcode": lambda r, i: "".join(r.choices("ACGT", k=10)),
    "sequence": lambda r, i: "".join(r.choices("ACDEFGHIKLMNPQRSTVWY", k=12)),
    "smiles": lambda r, i: "CC(=O)Oc1ccccc1" + "C" * i,
    "p_value": lambda r, i: f"{r.random():.3e}",
    "chrom_pos": lambda r, i: f"{r.randint(1, 22)}:{r.randint(10**5, 10**8)}",
    "hour_of_day": one_of("20:15", "12:30"),
    "blood_pressure": lambda r, i: f"{r.randint(100, 180)}/{r.randint(60, 99)}",
    "uniprot": lambda r, i: f"P{r.randint(10000, 99999)}",
    "phone_contact": one_of("yes", "no"),
    "email": one_of("0", "1"),
    "death": one_of("0", "1"),
    "days_to_discharge": digits(2),
    "birth_weight": digits(4),
    "birth": one_of("vaginal", "caesarean"),
    "ip_dose": digits(3),
    "location": one_of("colon", "rectum"),
    "smoker": one_of("never smoker", "former smoker"),
    "row": lambda r, i: str(i + 1),
    "Gewicht": digits(2),
    "tension": digits(3),
    "年": one_of("2001", "2004"),
    "体重_kg": digits(2),
    "v1": lambda r, i: f"{r.gauss(0, 1):.4f}",
    "v2": digits(3),
    "histology": one_of("Invasive Ductal Carcinoma", "Invasive Lobular Carcinoma"),
    "month_of_birth_weight_gain": lambda r, i: f"{r.uniform(0, 2):.2f}",
}


def test_a_table_without_identifiers_raises_no_alarm():
    table = {name: column(make, name) for name, make in HARMLESS.items()}
    table["age"] = [str(min(int(age or 0), 89)) for age in table["age"]]
    assert find(frame(table)) == []


@pytest.mark.parametrize(
    "file",
    sorted(DATA.glob("*/*patients.csv"))
    + sorted((DATA / "aml_cytogenetics").glob("*clinical.csv")),
    ids=lambda file: "/".join(file.parts[-2:]),
)
def test_shipped_patients_raise_no_alarm_but_for_ages(file):
    """Two of the published tables have ages above 89, which are no false alarm."""
    table = read_table(file)
    ids = table.columns[:1]
    outcomes = [name for name in table if re.search("days|recurrence|death|diagnosis", name)]
    old = {one.column for one in find(table, ids=ids, outcomes=outcomes)}
    assert old <= ({"age"} if "light" in str(file) or "rotterdam" in str(file) else set())


def test_ids_and_outcomes_are_no_names_and_no_addresses():
    table = frame({"id": column(EMAIL, "a"), "patient": column(FULL_NAME, "b")})
    told = find(table, ids=["id"], outcomes=["patient"])
    assert [one.kind for one in told] == [names.EMAILS, names.NAMES]
    harmless = frame({"id": column(digits(9), "a"), "death": column(one_of("0", "1"), "b")})
    assert find(harmless, ids=["id"], outcomes=["death"]) == []


@pytest.mark.parametrize("letters", ["ACGT", "a.b-", "A-1+"])
def test_an_address_is_looked_for_once_in_a_long_word(letters):
    """From each letter of it the rest was read again: 200,000 letters took minutes."""
    assert not values.MAIL.search(letters * 50_000)
    [found] = values.MAIL.finditer(f"{letters * 50_000} jane.doe@site.example.org")
    assert found.group() == "jane.doe@site.example.org"


@pytest.mark.parametrize(
    "text",
    [
        "test0001@example.org",
        "to test.one+two@example.org, please",
        "(test.one [at] example.org)",
        "<test-one@ward.example.org>",
        "mailto:test_one@example.org",
        "a@b@example.org",
    ],
)
def test_addresses_are_found_wherever_they_begin(text):
    assert values.MAIL.search(text)


def test_declared_texts_are_looked_into():
    texts = ["a long story of many words", "another one of several words"] * 5
    assert [one.kind for one in find(frame({"note": [f"{t} {i}" for i, t in enumerate(texts)]}))]
    assert find(frame({"note": list(texts)}), texts=["note"]) == []
    texts[3] += ", write to test0001@example.org"
    [one] = find(frame({"note": list(texts)}), texts=["note"])
    assert (one.kind, one.count, one.why) == (names.FREE_TEXT, 1, "in texts an e-mail address")


# Actions -------------------------------------------------------------------------------------

PERSONS = """\
case,person,seen,born,age,area,mail,sbp,ill
1,p1,2020-01-10,1930-05-01,91,03601,test1@example.org,120,yes
2,p1,2020-03-10,1930-05-01,91,03601,test1@example.org,130,no
3,p2,2021-12-31,1980-05-01,40,94110,,140,yes
"""
COLUMNS = {"id": "case", "patient": "person", "label": "ill"}
DONE = {"seen": "shift", "born": "year", "age": "generalise", "area": "generalise", "mail": "drop"}


def read(tmp_path: Path, content: str = PERSONS, **options: object):
    path = tmp_path / "c.csv"
    path.write_text(content)
    given = {"columns": COLUMNS} | options
    return get_application("disease_diagnosis").ingest({"clinical": path}, given)


def test_the_default_stops_with_a_list_and_shows_no_value(tmp_path):
    message = refused(
        lambda: read(tmp_path), "^4 columns may identify persons; nothing was written"
    )
    for line in ("seen: dates finer than a year", "born: ", "age: ages over 89", "mail: e-mail"):
        assert f"\n  {line}" in message
    shown = message.replace(str(tmp_path), "")
    assert not any(value in shown for value in ("2020", "1930", "91", "03601", "test1", "p1"))


def test_actions_make_of_columns_what_the_task_says(tmp_path):
    raw = read(tmp_path, privacy=DONE)
    table = raw.samples
    assert feature_columns(table) == ["seen", "born", "age", "area", "sbp"]
    np.testing.assert_array_equal(table["seen"], [0, 60, 0])
    assert table["born"].tolist() == [dates.date.today().year - 90] * 2 + [1980]
    assert table["age"].tolist() == [90, 90, 40]
    assert table["area"].tolist() == [0, 0, 941]
    assert raw.notes[1] == "Privacy: year of born (dates finer than a year), fewer than 5 cells"
    clean = get_application("disease_diagnosis").clean(table, {})
    told = quality(raw, clean, private=True)["notes"]
    assert len([note for note in told if note.startswith("Privacy: ")]) == 5


def test_ages_of_parquet_are_numbers_as_those_of_text_are(tmp_path):
    ages = [95, 89, 90, *range(40, 60)]
    ill = ["yes", "no", "no"] + ["yes", "no"] * 10
    table = pd.DataFrame({"id": [f"s{i}" for i in range(23)], "age": ages, "ill": ill})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "b.parquet")
    table.astype({"age": float}).to_parquet(tmp_path / "c.parquet")
    options = {"columns": {"id": "id", "label": "ill"}, "privacy": {"age": "generalise"}}
    ingest = get_application("disease_diagnosis").ingest
    for name in ("a.csv", "b.parquet", "c.parquet"):
        read = ingest({"clinical": tmp_path / name}, options).samples["age"]
        np.testing.assert_array_equal(read, [90, 89, 90, *range(40, 60)])
        assert pd.api.types.is_numeric_dtype(read)


@pytest.mark.slow
def test_a_pseudonym_needs_a_key_that_is_in_no_task_file(tmp_path, monkeypatch):
    for name in (actions.KEY, actions.KEY_FILE):
        monkeypatch.delenv(name, raising=False)
    options = {"privacy": DONE | {"person": "pseudonym", "mail": "pseudonym"}}
    refused(lambda: read(tmp_path, **options), "key of pseudonyms and shifts is missing.*KEY_FILE")
    monkeypatch.setenv(actions.KEY, "short")
    refused(lambda: read(tmp_path, **options), "too short")
    monkeypatch.setenv(actions.KEY, "k" * 32)
    by_text = read(tmp_path, **options).samples
    assert by_text["group"].str.fullmatch("p[0-9a-f]{16}").all()
    assert by_text["group"].nunique() == 2
    assert by_text["mail"].isna().tolist() == [False, False, True]
    monkeypatch.delenv(actions.KEY)
    (tmp_path / "key").write_text("k" * 32 + "\n")
    monkeypatch.setenv(actions.KEY_FILE, str(tmp_path / "key"))
    pd.testing.assert_frame_equal(read(tmp_path, **options).samples, by_text)
    (tmp_path / "key").write_text("another" * 5)
    assert not read(tmp_path, **options).samples["group"].isin(by_text["group"]).any()


@pytest.mark.slow
def test_a_keyed_shift_moves_all_dates_of_a_patient_alike(tmp_path, monkeypatch):
    monkeypatch.setenv(actions.KEY, "k" * 32)
    options = {"privacy": DONE | {"seen": "keyed_shift", "born": "keyed_shift"}}
    table = read(tmp_path, **options).samples
    written = pd.to_datetime(pd.Series(["2020-01-10", "2020-03-10", "2021-12-31"]))
    moved = (written - pd.Timestamp("1970-01-01")).dt.days - table["seen"]
    assert moved[0] == moved[1] != moved[2]
    assert moved.between(1, actions.MOST_SHIFTED).all()
    born = (pd.Timestamp("1980-05-01") - pd.Timestamp("1970-01-01")).days
    assert table["born"][2] == born - moved[2]
    # Of another table the same patient is moved alike, of another key otherwise.
    later = PERSONS.replace("2020-01-10", "2019-01-10")
    assert read(tmp_path, later, **options).samples["seen"][0] == table["seen"][0] - 365
    coded = read(tmp_path, privacy=options["privacy"] | {"person": "pseudonym"}).samples
    assert coded["seen"].equals(table["seen"])
    # Births before those of persons of 90 are one day, which tells nobody's shift.
    content = PERSONS.replace("3,p2,2021-12-31,1980", "3,p2,2021-12-31,1931")
    oldest = read(tmp_path, content, **options).samples["born"]
    first = dates.date(dates.date.today().year - actions.OLDEST - 1, 1, 1)
    assert set(oldest) == {first.toordinal() - actions.EPOCH}
    monkeypatch.setenv(actions.KEY, "m" * 32)
    assert read(tmp_path, **options).samples["seen"].tolist() != table["seen"].tolist()
    monkeypatch.delenv(actions.KEY)
    refused(lambda: read(tmp_path, **options), "key of pseudonyms and shifts is missing")


def test_a_keyed_shift_needs_to_know_whose_a_row_is(tmp_path, monkeypatch):
    monkeypatch.setenv(actions.KEY, "k" * 32)
    options = {"privacy": DONE | {"seen": "keyed_shift", "person": "drop", "case": "drop"}}
    options |= {"columns": {"id": "row", "label": "ill"}}
    refused(lambda: read(tmp_path, **options), "goes by the patient.*columns: {patient: ...}")
    assert len(read(tmp_path, **options | {"privacy": DONE}).samples) == 3


OF_PERSONS = {
    "PLACEHOLDER^JANE": names.NAMES,
    "Mustermann_Erika": names.NAMES,
    "Jane.Placeholder.2": names.NAMES,
    "S1_1950-02-03": names.DATES,
    "S1-19500203": names.DATES,
    "test0001@example.org": names.EMAILS,
    "000-12-3456": names.NATIONAL,
    "MRN_00123456": names.RECORDS,
    "MRN00123456": names.RECORDS,
    "MRN-00123456": names.RECORDS,
} | dict.fromkeys(
    "Jane_Doe_tumor Patient_Jane_Doe Doe_Jane_WGS Jane_M_Doe DOE^JANE^M Dr_Jane_Doe Li_Doe "
    "Jane_Doe1 Katherine_Doe Caroline_Doe Christine_Doe Jane-Doe Doe+Jane Anne-Marie_Doe "
    "Sample_Doe,Jane Jan_van_Placeholder Maria_de_Example Jane_Doe_rep2 Jane_Doe_sorted "
    "NORMAL_DOE_JANE".split(),
    names.NAMES,
)
OF_NOBODY = (
    "NA12878 HG002 S1 SAMN00012345 H_LS-E2-A14P Tumour_rep1 Wild_Type Control_A TCGA-02-0001-01C "
    "20260101042 Jürgen 007 Patient_12 Case_Normal A_B CEPH1463 WT_KO fc1.L1 12345678 HG001 "
    "sample_1 tumor_normal WT_rep1 ctrl-2 SRR123456 SRR123456_ERR654321 Tumor-Normal T1_N1 MCF-7 "
    "SK-MEL-28 TCGA-BRCA K-562 HeLa_DMSO Lung_Cancer Left_Kidney Day_7 Knock-Out_Rep2 BRCA1_TP53 "
    "HG002_NA24385_son NA24385-2x250 Patient12_Tumor Donor_A_PBMC Whole_Blood Imatinib_Resistant "
    "Breast_Carcinoma Exp1_Cond2 jane_doe JaneDoe Doe"
).split()


def test_names_of_samples_are_told_one_by_one():
    assert {name: samples.kind_of(name) for name in OF_PERSONS} == OF_PERSONS
    assert [name for name in OF_NOBODY if samples.kind_of(name)] == []
    assert samples.shown(["NA12878", "HG002"]) == "NA12878, HG002"
    assert samples.shown(["NA12878", "PLACEHOLDER^JANE"]) == "2 names not shown"


def test_names_of_samples_stop_until_the_task_says_what_is_done(monkeypatch):
    known = ["PLACEHOLDER^JANE", "HG002"]
    message = refused(lambda: samples.called(known, {}, []), r"names \(fewer than 5\).*pseudonym")
    assert "JANE" not in message
    monkeypatch.setenv(actions.KEY, "k" * 32)
    codes, notes = samples.called(known, {"sample": "pseudonym"}, [])
    assert all(re.fullmatch("p[0-9a-f]{16}", code) for code in codes.values())
    assert notes == ["Privacy: pseudonym of fewer than 5 names of samples"]
    kept, notes = samples.called(known, {}, ["sample"])
    assert kept == {name: name for name in known}
    assert notes[0].startswith("Privacy: names of samples are kept")
    assert samples.called(["HG002"], {}, []) == ({"HG002": "HG002"}, [])
    refused(lambda: samples.called(known, {"sample": "drop"}, []), "Unknown action 'drop'")
    refused(lambda: samples.called(known, {"samples": "drop"}, []), "Unknown name 'samples'")


def test_names_in_a_sheet_are_told_by_their_column():
    sheet = {"sample": ["S1"], "lane": ["2024-01-31"], "library": ["20240131_lib2"]}
    samples.check_sheet(sheet, [], Path("s.csv"))
    dated = {**sheet, "sample": ["S1_1950-02-03"]}
    refused(lambda: samples.check_sheet(dated, [], Path("s.csv")), "dates.*column sample")
    named = {**sheet, "library": ["Doe_Jane_2024-01-31"]}
    told = refused(lambda: samples.check_sheet(named, [], Path("s.csv")), "names.*column library")
    assert "Jane" not in told
    samples.check_sheet(named, ["sample"], Path("s.csv"))


def test_mistakes_in_actions_are_named(tmp_path):
    wrong = {"privacy": DONE | {"seen": "shft"}}
    refused(lambda: read(tmp_path, **wrong), "Unknown action 'shft'.*privacy: seen.*'shift'")
    wrong = {"privacy": DONE | {"sbp": "year"}}
    message = refused(lambda: read(tmp_path, **wrong), "A date is needed.*row 2, column sbp")
    assert "120" not in message
    wrong = {"privacy": DONE | {"case": "drop"}}
    refused(lambda: read(tmp_path, **wrong), "cannot be dropped.*column case")
    wrong = {"privacy": DONE, "not_identifiers": ["age"]}
    refused(lambda: read(tmp_path, **wrong), "that `privacy` changes.*column age")
    table = PERSONS.replace("2020-01-10", "01/10/2020").replace("2020-03-10", "03/10/2020")
    wrong = {"privacy": DONE, "content": table.replace("2021-12-31", "02/10/2020")}
    refused(lambda: read(tmp_path, **wrong), "day and which the month.*column seen.*`year`")


def test_how_many_are_alike_is_told(tmp_path):
    told = read(tmp_path, privacy=DONE, quasi_identifiers=["area", "born"]).notes[-1]
    assert told == (
        "Privacy: k = 1 over area, born; 2 of 2 combinations are of fewer than 5 persons, "
        "fewer than 5 rows"
    )


def test_a_category_of_few_patients_has_no_name_in_training_data(tmp_path):
    rows = "".join(
        f"{i},s{i % 3 + 10 * (i == 7)},{i % 2}\n" for i in range(24)
    )  # three wards, and a fourth one that a single patient has
    path = tmp_path / "c.csv"
    path.write_text("case,ward,ill\n" + rows)
    chosen = get_application("disease_diagnosis")
    raw = chosen.ingest({"clinical": path}, {"columns": {"id": "case", "label": "ill"}})
    cleaned = chosen.clean(raw.samples, {})
    assert set(cleaned.samples["ward"]) == {"s0", "s1", "s2", RARE}
    assert "1 categories of ward that few patients have are one" in cleaned.notes
    kept = chosen.clean(raw.samples, {"min_category_size": 1}).samples
    assert "s11" in set(kept["ward"])
    new = raw.samples.drop(columns="label")
    assert RARE not in set(chosen.clean(new, {}).samples["ward"])


# A whole run ---------------------------------------------------------------------------------


def texts_of(file: Path) -> str:
    """All that a file says, also where it is compressed."""
    if file.suffix == ".parquet":
        return pd.read_parquet(file).to_csv()
    if file.suffix == ".npz":
        with np.load(file) as arrays:
            return " ".join(map(str, (array.tolist() for array in arrays.values())))
    return file.read_bytes().decode(errors="replace")


def secrets_of(cells: list[str | None]) -> list[str]:
    """Values of some rows that occur nowhere by chance."""
    chosen = [cells[row] or "" for row in (0, 4, 23)]
    return [cell for cell in chosen if len(cell) >= 6 and not cell.isalpha()]


@pytest.mark.slow
def test_no_value_of_an_identifier_is_in_any_file_or_output(tmp_path, monkeypatch):
    project = Project.create(tmp_path)
    project.path("tasks/liver.yaml").unlink()
    of_kind = [columns for level in LEVELS for columns in fixture(level).values()]
    columns = {name: cells * 2 for kind in of_kind for name, cells in kind.items()}
    columns = {name: cells for name, cells in columns.items() if names.age_unit(name) is None}
    table = pd.read_csv(tmp_path / "data/heart.csv").join(pd.DataFrame(columns))
    table["patient"] = [f"ward{i:03d}@example.org" for i in range(len(table))]
    table.to_csv(tmp_path / "data/heart.csv", index=False)
    told = [secret for cells in columns.values() for secret in secrets_of(cells)]
    secrets = [*told, *table["patient"]]

    def leaks(output: str) -> list[str]:
        """Where one of the values stands, numbers as words of their own."""
        places = [
            place
            for place in tmp_path.rglob("*")
            if place.is_file()
            and place.relative_to(tmp_path).parts[0] in ("results", "logs", ".snakemake")
        ]
        found = []
        for place, said in [*((p, texts_of(p)) for p in places), ("output", output)]:
            words = set(re.findall(r"(?<![.\d])\d+", said))
            if any(s in words if s.isdigit() else s in said for s in secrets):
                found.append(str(place))
        return found

    monkeypatch.delenv(actions.KEY, raising=False)
    monkeypatch.delenv(actions.KEY_FILE, raising=False)
    stopped = project.snakemake("--cores", "1", check=False)
    assert "may identify persons; nothing was written" in stopped
    assert leaks(stopped) == []
    place = "tasks.heart.datasets.training"
    project.configure(**{f"{place}.identifiers": list(columns)})
    project.configure(**{f"{place}.privacy": {"patient": "pseudonym"}})
    without_key = project.snakemake("--cores", "1", check=False)
    assert "key of pseudonyms and shifts is missing" in without_key
    monkeypatch.setenv(actions.KEY, key := "placeholder key of the tests")
    output = project.snakemake("--cores", "1")
    assert leaks(without_key + output) == []
    assert (tmp_path / "results/heart/model/model.yaml").exists()
    notes = (tmp_path / "results/heart/training/quality.json").read_text()
    assert notes.count("Privacy: drop of") == len(columns)
    secrets[:] = [key]
    assert leaks(output) == []


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("birth_date", "{y2:02}{m:02}{d:02}"),
        ("dob", "{d:02}{m:02}{y2:02}"),
        ("Geburtsdatum", "{d:02}{m:02}{y}"),
        ("admission_date", "{y}{m:02}{d:02}133015"),
        ("admitted", "{y}{m:02}{d:02}1330"),
        ("birth_month", "{y}{m:02}"),
        ("taken", "{d:02}-MAY-{y2:02}"),
        ("geboren", "{d}.{m}.{y2:02}"),
        ("Geb.-Datum", "{y}"),
        ("fecha_nac", "{y}"),
    ],
)
def test_dates_are_found_in_whatever_order_their_digits_are(name, form):
    rng = Random(0)
    days = [
        {"y": rng.randint(1925, 2019), "m": rng.randint(1, 12), "d": rng.randint(1, 28)}
        for _ in range(60)
    ]
    cells = [form.format(y2=day["y"] % 100, **day) for day in days]
    kinds = {found.kind for found in find(pd.DataFrame({name: cells}))}
    assert kinds & {names.DATES, names.AGES}


SERIALS = {
    "days since 1960 (SAS)": lambda days: days - 32_872,
    "days since 1970 (R)": lambda days: days - 36_525,
    "seconds since 1582 (SPSS)": lambda days: (days + 115_859) * 86_400,
    "seconds since 1970, before it": lambda days: (days - 36_525) * 86_400,
    "nanoseconds since 1970": lambda days: (days - 25_567) * 86_400 * 10**9,
    "days and hours (Excel)": lambda days: days + 0.454,
    "days since the year 0 (MATLAB)": lambda days: days + 693_962,
    "year and day": lambda days: 1_925_000 + days // 365 * 1000 + days % 365 + 1,
    "century": lambda days: 250_101 + days // 365 * 10_000,
}


@pytest.mark.parametrize("made", SERIALS.values(), ids=SERIALS)
@pytest.mark.parametrize("name", ["dob", "admission_date"])
def test_numbers_under_the_certain_name_of_a_date_are_days(name, made):
    cells = [str(made(days)) for days in range(9_000, 35_000, 700)]
    assert [found.kind for found in find(frame({name: cells}))] == [names.DATES]


@pytest.mark.parametrize("cells", [["2001", "2004"], ["0", "1", "12"], ["-30", "0.5", "999"]])
def test_years_and_small_numbers_under_the_name_of_a_date_are_none(cells):
    assert find(frame({"admission_date": cells * 20})) == []


DAYS_AS_WRITTEN = (
    "{d}/{b}/{y} {b}-{d}-{y} {y}-{b}-{d} {y}{b}{d:02} {d:02}{b}{y}:19:25:00 {y}{m:02}{d:02}T192500 "
    "{y}{m:02}{d:02}192500+0100 {d:02}_{m:02}_{y}"
).split() + ["{y}{m:02}{d:02} 19:25:00", "Sun {b} {d} 19:25:00 {y}"]
MAYBE_DAYS = (
    "{d:02}/{b}/{s:02} {d:02}{b}{s:02} {d:02}{b}{s:02}:19:25:00 {b}-{s:02} {y}-W{d:02} {y}-{n:03}"
).split() + ["{d:02} {m:02} {y}"]


def days_written(form: str) -> list[str]:
    days = [date(1950 + i, 1 + i % 12, 1 + 7 * i % 28) for i in range(ROWS)]
    return [
        form.format(d=day.day, m=day.month, b=day.strftime("%b"), y=day.year, s=day.year % 100,
                    n=day.timetuple().tm_yday)
        for day in days
    ]  # fmt: skip


@pytest.mark.parametrize("form", [*DAYS_AS_WRITTEN, *MAYBE_DAYS])
def test_days_are_found_as_programs_write_them(form):
    cells = days_written(form)
    assert [found.kind for found in find(frame({"v1": cells}))] == [names.DATES]
    alone = find(frame({"v1": [cells[0], *["-"] * ROWS]}))
    assert (names.DATES in [found.kind for found in alone]) == (form in DAYS_AS_WRITTEN)
    if form not in ("{b}-{s:02}", "{y}-W{d:02}"):
        assert dates.read(cells[0], True) == date(1950, 1, 1)
        assert dates.read(cells[1], True).day == 8


@pytest.mark.parametrize(
    "cells",
    [
        ["2019-400", "2019-999"],
        ["10MARKER50", "11MARKER51"],
        ["SEP-A", "MAR-B"],
        ["Marker_12_2001", "Mayo-12-2004", "Octet-10-1999", "2015 Maryland 12"],
    ],
)
def test_codes_that_are_no_days_are_none(cells):
    forms = dates.is_doubtful, dates.is_short, dates.is_full
    assert not any(is_date(cell) for cell in cells for is_date in forms)


def test_the_point_of_seconds_is_none_of_a_german_date():
    assert dates.day_first(["03/04/2020 10:00:00.000"]) is None
    assert dates.day_first(["03.04.2020 10:00"]) is True


@pytest.mark.parametrize("cell", ["BAUER^BERT", "Bert_Wolf", "WOLF^JAN^^"])
def test_names_of_persons_may_be_joined_by_marks(cell):
    cells = [cell.replace("B", letter) for letter in "ABCDEFGH"] if "B" in cell else [cell] * 8
    assert all(map(values.is_person, cells))


@pytest.mark.parametrize("cell", ["BCR_ABL", "HLA_A", "C_T", "Val_Ala", "Exon_A"])
def test_codes_that_are_joined_by_a_mark_are_no_names(cell):
    assert not values.is_person(cell)


def test_numbers_of_six_digits_that_never_repeat_are_record_numbers():
    found = find(frame({"lab": [str(100_000 + 7919 * i) for i in range(ROWS)]}))
    assert [one.kind for one in found] == [names.RECORDS]


@pytest.mark.parametrize("cell", ["days", "visit", "date", "dt"])
def test_days_since_a_start_are_no_dates(cell):
    assert find(pd.DataFrame({cell: [str(day) for day in range(0, 400, 7)]})) == []


def test_a_year_of_two_digits_is_none_to_come():
    assert dates.read("24.12.40", True) == date(1940, 12, 24)
    assert dates.read("24-DEC-99", True) == date(1999, 12, 24)
    assert dates.read("24.12.01", True) == date(2001, 12, 24)


def test_names_of_persons_are_told_by_the_name_of_the_column():
    cells = ["Miller", "Smith", "Jones"] * 20
    for name in ("pat_name", "Pat.Name", "client_name", "name_patient", "surnames", "PT_LAST"):
        assert [found.kind for found in find(pd.DataFrame({name: cells}))] == [names.NAMES]
    ages = pd.DataFrame({"age": [f"{years} years" for years in range(60, 96)]})
    assert [found.kind for found in find(ages)] == [names.AGES]


def test_measurements_under_names_like_dates_are_no_dates():
    rng = Random(0)
    cells = [str(rng.randint(70_000, 400_000)) for _ in range(60)]
    for name in ("platelets_at_birth", "cost_to_date", "newborn_screening_tsh", "myoblasts"):
        assert find(pd.DataFrame({name: cells})) == []
    notes = ["take 10 novorapid 12 units", "2 decadron 10 mg", "4 sets 20 reps"] * 20
    found = find(pd.DataFrame({"plan": notes}))
    assert all("date" not in one.why for one in found)
