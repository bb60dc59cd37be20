//! Numbers that states give to people and firms, by country.

mod australia;
mod brazil;
mod britain;
mod china;
mod finland;
mod france;
mod germany;
mod india;
mod italy;
mod kazakhstan;
mod korea;
mod netherlands;
mod poland;
mod russia;
mod singapore;
mod spain;
mod states;
mod sweden;
mod turkey;

use super::{Detector, Finder, Group};

/// Those with the weaker proof come later: where two fit, the first gives the tag.
pub(super) static ROWS: &[Detector] = &[
    russia::INN,
    russia::SNILS,
    russia::OGRN,
    russia::OMS,
    kazakhstan::IIN,
    china::RESIDENT_ID,
    korea::RRN,
    france::NIR,
    italy::CODICE_FISCALE,
    finland::HETU,
    brazil::CPF,
    brazil::CNPJ,
    turkey::TCKN,
    poland::PESEL,
    germany::TAX_ID,
    sweden::PERSONNUMMER,
    spain::NIF,
    singapore::NRIC,
    india::AADHAAR,
    india::PAN,
    netherlands::BSN,
    britain::NHS,
    britain::NINO,
    australia::TFN,
    australia::MEDICARE,
    states::SSN,
    states::ITIN,
    russia::PASSPORT,
];
