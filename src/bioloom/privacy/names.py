"""The 18 kinds of identifiers of the HIPAA Safe Harbor rule, and the names of their columns.

45 CFR 164.514(b)(2). A name is compared without case, accents, separators and trailing digits:
`Date of Birth`, `dateOfBirth` and `date-of-birth2` are one. Some words tell alone (`CERTAIN`), some
only of a column whose cells differ from row to row (`POSSIBLE`): a `code` may be of a disease.
Languages: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Turkish,
Russian, Chinese, Japanese, Arabic.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

NAMES = "names"
PLACES = "places smaller than a state"
DATES = "dates finer than a year"
AGES = "ages over 89"
PHONES = "phone numbers"
FAXES = "fax numbers"
EMAILS = "e-mail addresses"
NATIONAL = "social security numbers"
RECORDS = "record numbers"
PLANS = "health plan numbers"
ACCOUNTS = "account numbers"
LICENCES = "licence numbers"
VEHICLES = "vehicle numbers"
DEVICES = "device numbers"
URLS = "web addresses"
NETWORK = "network addresses"
BIOMETRIC = "biometric identifiers"
PHOTOS = "photographs"
OTHER = "other unique codes"
FREE_TEXT = "free text"


_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})


def _plain(text: str) -> str:
    """Lower case, without accents; the same in every way to compose a letter."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    bare = "".join(mark for mark in apart if not unicodedata.combining(mark))
    return unicodedata.normalize("NFC", bare)


def _words_of(listed: str) -> frozenset[str]:
    return frozenset(_plain(listed).split())


def _table(**kinds: str) -> dict[str, str]:
    """Word -> kind, of the words of each kind; kinds go by the name of their constant."""
    return {
        word: globals()[kind] for kind, listed in kinds.items() for word in _plain(listed).split()
    }


CERTAIN = _table(
    NAMES="patientname patname ptname ptnm patnm ptlast ptfirst clientname namepatient "
    "residentname membername spousename surnames contactname "
    "firstname fname givenname forename lastname lname surname "
    "familyname maidenname middlename fullname username subjectname personname nextofkin "
    "nextofkinname mothername fathername mothersname initials initialen "
    "nachname vorname familienname geburtsname patientenname prenom nomdefamille nompatient "
    "nomcomplet apellido apellidos nombrecompleto nombrepaciente cognome nomecognome nomecompleto "
    "sobrenome apelido achternaam voornaam volledigenaam nazwisko imie efternamn fornamn soyad "
    "soyadi adsoyad adisoyadi фамилия имя отчество фио familiya imya 姓名 名字 xingming 氏名 名前 "
    "患者名 shimei الاسم اسمالمريض",
    PLACES="address addr homeaddress streetaddress street zip zipcode postcode postal postalcode "
    "postaladdress city town county residence birthplace placeofbirth latitude longitude plz "
    "postleitzahl wohnort strasse anschrift adresse geburtsort codepostal ville rue "
    "lieudenaissance lieunaissance codigopostal domicilio ciudad direccion calle indirizzo citta "
    "endereco morada cidade adres woonadres woonplaats straat adreszam kodpocztowy miasto ulica "
    "adress gatuadress postnummer postort sehir ilce postakodu адрес город улица "
    "почтовыйиндекс gorod 住址 地址 城市 邮编 邮政编码 zhuzhi dizhi 住所 郵便番号 市区町村 jusho "
    "العنوان المدينة",
    DATES="date dt dob dod doa bday birthdate birthday dateofbirth datum geburtsdatum gebdatum "
    "aufnahmedatum geburtstag datenaissance datedenaissance fecha fechanacimiento datanascita "
    "datadinascita datanascimento geboortedatum dataurodzenia dataprzyjecia fodelsedatum "
    "dogumtarihi tarih дата датарождения 出生日期 日期 生年月日 日付 入院日 "
    "chushengriqi seinengappi تاريخ تاريخالميلاد",
    PHONES="phone telephone phonenumber phoneno tel mobile mobileno mobilenumber cellphone "
    "homephone contactno contactnumber telefon telefonnummer handynummer telefono telefone "
    "telefoon telefoonnummer telemovel celular cellulare nrtelefonu telefonu mobilnummer телефон "
    "телефона 电话 手机 手机号 电话号码 dianhua 電話 電話番号 携帯 denwa هاتف الهاتف رقمالهاتف",
    FAXES="fax faxnumber faxno officefax telefax faxnummer faks факс 传真 ファックス فاكس",
    EMAILS="email mail emailaddress emaddr contactmail mailadresse correo correoelectronico "
    "courriel epost eposta почта электроннаяпочта 邮箱 电子邮件 メール メールアドレス البريد "
    "البريدالالكتروني",
    NATIONAL="ssn ssno socsec socialsecurity socialsecuritynumber nationalinsurance nationalid "
    "nhsnumber nhsno passport passportno passportnumber svnr sozialversicherungsnummer steuerid "
    "numerosecu securitesociale pesel burgerservicenummer personnummer codicefiscale tckimlik "
    "tckimlikno tckn kimlikno снилс паспорт 身份证 身份证号 shenfenzheng マイナンバー رقمالهوية",
    RECORDS="mrn mrnum medicalrecord medicalrecordnumber recordnumber recordno recordid patientid "
    "patientnumber patientno patid ptid subjectid participantid personid caseid casenumber caseno "
    "studyid hospitalnumber hospitalno hospitalid hospnr hospno chartid chartno chartnumber "
    "admissionid encounterid specimenid accessionnumber accessionid subjid usubjid patientkey "
    "patientcode patientenid fallnummer patientennummer patientnummer aktenzeichen numdossier "
    "numerodossier historiaclinica numhistoria cartellaclinica numerocartella processoclinico "
    "prontuario dossiernummer nrhistorii numerhistorii journalnummer protokolno dosyano hastano "
    "номеркарты номеристории 病历号 住院号 病案号 binglihao 診察券番号 患者番号 カルテ番号 患者id "
    "رقمالملف رقمالمريض",
    PLANS="insuranceid insurancenumber insuranceno healthplan healthplanid healthplannumber "
    "memberid memberno membernumber beneficiaryid beneficiarynumber policynumber policyno "
    "medicareid medicarenumber medicaidid payerno hicn versichertennummer versicherungsnummer "
    "krankenversichertennummer numeromutuelle numeropoliza verzekeringsnummer nrubezpieczenia "
    "номерполиса полис 医保号 医保卡号 被保険者番号 保険証番号 sigortano رقمالتامين",
    ACCOUNTS="account accountno accountnumber accountid acct acctno iban bankaccount billingno "
    "billingnumber cardnumber creditcard kontonummer konto numerocompte numerocuenta numeroconto "
    "contocorrente rekeningnummer numerkonta nrkonta kontonr hesapno номерсчета 账号 银行账号 卡号 "
    "口座番号 رقمالحساب",
    LICENCES="licenseno licensenumber licenceno licencenumber driverslicense driverlicense npi "
    "certno certificateno certificatenumber fuehrerschein fuhrerschein fuhrerscheinnummer "
    "permisconduire permisdeconduire numeropermis licenciaconducir cartaconducao rijbewijs "
    "prawojazdy korkort ehliyet ehliyetno водительскиеправа 驾照 驾驶证 驾驶证号 免許証番号 "
    "رخصةالقيادة",
    VEHICLES="vin licenseplate licenceplate plateno platenumber vehicleid vehicleno "
    "vehiclenumber kennzeichen kfzkennzeichen immatriculation matricula targa kenteken "
    "nrrejestracyjny registreringsnummer plaka plakano госномер 车牌 车牌号 車両番号 رقماللوحة",
    DEVICES="deviceid deviceserial serialnumber serialno deviceidentifier udi imei pacemakersn "
    "pacemakerserial seriennummer geraetenummer numeroserie numerodeserie numserie serienummer "
    "numerseryjny serino серийныйномер 序列号 设备号 シリアル番号 製造番号 الرقمالتسلسلي",
    URLS="url weburl homepage website webpage webseite paginaweb siteweb sitoweb strona "
    "stronainternetowa hemsida websitesi сайт 网址 主页 ホームページ الموقع",
    NETWORK="ipaddress ipaddr ipadresse ipadres ipadress direccionip indirizzoip adresseip "
    "clientip clientaddr macaddress ipv4 ipv6 ipадрес ip地址 ipアドレス",
    BIOMETRIC="fingerprint voiceprint irisscan retinascan retinalscan biometric faceid "
    "fingerabdruck huella huelladactilar empreinte improntadigitale impressaodigital "
    "vingerafdruk odciskpalca fingeravtryck parmakizi отпечаток 指纹 声纹 指紋 بصمة",
    PHOTOS="photo photograph fullfacephoto picture foto lichtbild passbild fotografia zdjecie "
    "fotograf фото 照片 写真 顔写真 صورة",
    OTHER="uuid guid",
)  # fmt: skip
# These tell only as the whole name: there is a `gene_name`, and a `patient` is no `patient_score`.
WHOLE = _table(
    NAMES="name names nom nome nombre naam namn nazwa isim имя",
    PHONES="handy mobil portable gsm",
    RECORDS="patient patients participant subject pid",
    PLANS="beneficiary hic",
)
# Parts of words that are long enough to tell, of whatever compound they are in.
STEMS = _table(
    PHONES="telefon telephone 電話 电话 телефон",
    DATES="geburtsdat naissance nacimiento nascita nascimento geboortedat urodzenia fodelsedat "
    "dogumtar рождени 出生日 生年月",
    EMAILS="emailad",
    PLACES="адрес 住所 住址",
    RECORDS="病历 診察券",
)  # fmt: skip
POSSIBLE = _table(
    PLACES="location loc district geo gps lat lon lng long pos parish neighborhood municipality "
    "cap comune localita kommun",
    DATES="birth yob birthyear yearofbirth death admitted admission discharge discharged "
    "visit deceased",
    PHONES="cell contact",
    FAXES="fx",
    NATIONAL="nir dni nie nif cpf bsn nin ssnr инн",
    RECORDS="chart case emr ehr id ids identifier record accession no nr num number nummer numero "
    "numer labno 番号 号",
    PLANS="policy medicare medicaid payer member mutuelle krankenkasse insurance plan poliza",
    ACCOUNTS="bank billing compte cuenta conto conta rekening",
    LICENCES="license licence driver dl cert certificate permis licencia patente",
    VEHICLES="plate regno registration plaque vehicle",
    DEVICES="serial implant device pacemaker sn",
    URLS="link profile twitter facebook instagram linkedin web",
    NETWORK="ip host hostname mac",
    BIOMETRIC="iris retina template voice",
    PHOTOS="image img imagepath imgpath imagefile face bild",
    OTHER="code key index sample sampleid studyno barcode token hash kennung identifiant "
    "identificador identificativo идентификатор 编号 識別番号 guid",
)
PERSONS = _words_of(
    "physician doctor mother father spouse rater reader observer nurse surgeon investigator "
    "operator arzt medecin medico contact referrer therapist author"
)
"""Roles of persons: their cells may hold initials."""
AGE = _words_of(
    "age ages alter edad eta idade leeftijd wiek alder yas возраст vozrast 年龄 年齢 nianling "
    "nenrei العمر"
)
UNITS = {12.0: "m mo month months monate mois meses mesi maanden miesiace manader ay",
         52.18: "w week weeks wochen semaines semanas",
         365.25: "d day days tage jours dias giorni dagen dni dagar"}  # fmt: skip
MEASURES = _words_of(
    "count counts reads n per ul ml dl l nl pg ng ug mg g kg cm mm m2 mmol umol iu percent pct "
    "ratio rate score scale level dose weight height length width size area volume pressure bp "
    "days day weeks week months month years year hours hour minutes time duration mean median "
    "std min max sum total cost costs price income charges salary load titer titre expression "
    "abundance intensity concentration platelets leukocytes wbc rbc cells units value result "
    "gewicht groesse poids taille peso altezza altura vikt masa вес давление 体重 血压 血圧 身長"
)
"""Words of measurements: whole numbers under such a name are what they are called."""
SCIENCE = _words_of(
    "gene genes variant variants snp rsid transcript protein uniprot allele hgvs hla sequence seq "
    "smiles inchi inchikey drug atc icd icd9 icd10 loinc snomed cas compound chembl chrom position "
    "pos cytoband organism ontology hpo omim go kegg peptide probe well"
)
"""Words of what has codes or sequences of its own that differ from row to row."""
_BIRTH = _words_of(
    "birth dob bday geburt naissance nacimiento nascita nascimento geboorte urodz fodel "
    "dogum рожден 出生 生年 الميلاد gebdat gebjahr fechanac nacido seinengappi chusheng"
)
OPAQUE = re.compile(r"[a-z]{0,3}_?\d*|(col|column|var|variable|field|feature|item|data|info)_?\d*")


def words(name: str) -> list[str]:
    """The words of a column's name: lower case, without accents and trailing digits."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return [word for word in re.split(r"[\W_]+", _plain(split)) if word]


def certain_kind(name: str) -> str | None:
    """The kind that a column's name tells alone, by the longest of its words that tell one."""
    parts = words(name)
    runs = sorted(_runs(parts), key=len, reverse=True)
    if kind := next((CERTAIN[run] for run in runs if run in CERTAIN), None):
        return kind
    whole = "".join(parts)
    kind = WHOLE.get(whole) or WHOLE.get(_bare(whole))
    return kind or next((kind for stem, kind in STEMS.items() if stem in whole), None)


def possible_kind(name: str) -> str | None:
    """The kind that a column's name tells where its cells differ from row to row."""
    parts = words(name)
    runs = sorted(_runs(parts), key=len, reverse=True)
    if kind := next((POSSIBLE[run] for run in runs if run in POSSIBLE), None):
        return kind
    return RECORDS if parts and parts[-1].endswith(("nummer", "番号", "号", "номер")) else None


def age_unit(name: str) -> float | None:
    """How many of its unit a year has, where the name is that of an age."""
    parts = set(words(name))
    if not parts & AGE:
        return None
    return next((per for per, units in UNITS.items() if parts & set(units.split())), 1.0)


def is_birth(name: str) -> bool:
    """Whether a name is of the time of birth."""
    parts = words(name)
    whole = "".join(parts)
    return any(stem in whole for stem in _BIRTH) or bool({"born", "yob"} & set(map(_bare, parts)))


def is_opaque(name: str) -> bool:
    """Whether a name says nothing: `v01`, `x`, `col_3`."""
    return OPAQUE.fullmatch("_".join(words(name))) is not None


def has_word(name: str, known: frozenset[str]) -> bool:
    """Whether a word of the name is one of the known."""
    return any(word in known or _bare(word) in known for word in words(name))


def _bare(word: str) -> str:
    return word.rstrip("0123456789") or word


def _runs(parts: list[str]) -> Iterator[str]:
    """Neighbouring words as one, with and without the last one's digits."""
    for first in range(len(parts)):
        for last in range(first + 1, min(first + 4, len(parts)) + 1):
            run = "".join(parts[first:last])
            yield run
            yield _bare(run)
