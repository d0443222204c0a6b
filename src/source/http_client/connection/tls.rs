//! TLS settings for cameras and webhooks: certificates are checked against the system's roots, or not at all
//! where the configuration says so.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

/// Returns the TLS settings, created once: reading the system's roots takes milliseconds and hundreds of
/// files.
///
/// # Errors
/// The reason why there are none, for the user.
pub(crate) fn client_config(insecure: bool) -> Result<Arc<ClientConfig>, String> {
    static CHECKING: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static INSECURE: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let (made, make): (_, fn() -> Result<_, _>) =
        if insecure { (&INSECURE, no_verification) } else { (&CHECKING, system_roots) };
    if let Some(made) = made.get() {
        return Ok(made.clone());
    }
    // A failure is not kept: certificates may be installed while framecast runs.
    let config = make()?;
    Ok(made.get_or_init(|| config).clone())
}

fn system_roots() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("no certificates to check it with were found on this system: install ca-certificates, \
                    or accept any certificate with `insecure: true`"
            .into());
    }
    Ok(Arc::new(builder()?.with_root_certificates(roots).with_no_client_auth()))
}

/// Returns TLS settings that trust the certificates of a PEM file, and no others: of authorities, and of a
/// server itself, whatever names that has.
///
/// # Errors
/// The reason why there are none, for the user.
pub(crate) fn client_config_trusting(pem: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let pinned = found.map_err(|error| format!("is not PEM: {error}"))?;
    if pinned.is_empty() {
        return Err("holds no certificate: it must be PEM".into());
    }
    for certificate in &pinned {
        let added = roots.add(certificate.clone());
        added.map_err(|error| format!("holds a certificate that cannot be read: {error}"))?;
    }
    let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let authorities = authorities.map_err(|error| error.to_string())?;
    let verifier = Arc::new(PinnedOrSigned { pinned, authorities });
    Ok(Arc::new(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

fn no_verification() -> Result<Arc<ClientConfig>, String> {
    let verifier = Arc::new(AnyCertificate(provider()));
    Ok(Arc::new(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// Returns the provider of cryptography. It is set explicitly: with two providers in the build rustls would
/// panic at the first use of its default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A verifier that accepts any certificate (`insecure: true`). Signatures are not checked either: an attacker
/// who may present any certificate can present a valid one of his own, and old cameras' certificates are of
/// versions that the verifier cannot read.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A verifier that trusts these certificates themselves, and those that they sign. Self-signed ones are often
/// marked as authorities (`openssl req -x509`), which no verifier accepts for a server.
#[derive(Debug)]
struct PinnedOrSigned {
    pinned: Vec<CertificateDer<'static>>,
    authorities: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for PinnedOrSigned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Webhooks use these settings with awc, which would use HTTP/2 if a server agreed to it
    /// (RUSTSEC-2026-0258, deny.toml).
    #[test]
    fn no_protocol_is_offered_so_that_none_is_agreed_on() {
        assert!(client_config(true).unwrap().alpn_protocols.is_empty());
        assert!(system_roots().map_or(true, |config| config.alpn_protocols.is_empty()));
    }
}
