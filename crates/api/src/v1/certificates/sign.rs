//! `POST /v1/certificates`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jeroboam_model::ClusterId;
use jeroboam_service::SignRequest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::edge::{Link, Links, Who};
use crate::error::ApiResult;
use crate::wire::{Argument, Body, Fields, Length, Query};

const CERTIFICATE: Argument = Argument {
    name: "certificate",
    known: &["cluster_uuid", "csr", "ca_cert_type", "pem"],
    read_only: &["links", "created_at", "updated_at"],
};

/// A certificate request.
#[derive(Debug, ToSchema)]
pub(crate) struct CreateCertificate {
    /// uuid or name of the cluster.
    cluster_uuid: String,
    /// PKCS#10 in PEM.
    csr: String,
    /// `etcd`, `front_proxy` or `front-proxy`; everything else is Kubernetes' own.
    ca_cert_type: Option<String>,
}

impl CreateCertificate {
    fn parse(fields: &Fields) -> ApiResult<Self> {
        Ok(Self {
            cluster_uuid: fields.mandatory_text("cluster_uuid", Length::COLUMN)?,
            csr: fields.mandatory_text("csr", Length(1, 65_535))?,
            ca_cert_type: fields.text("ca_cert_type", Length::COLUMN)?,
        })
    }
}

/// A signed certificate.
#[derive(Serialize, ToSchema)]
pub(crate) struct CertificateView {
    #[schema(value_type = String, format = "uuid")]
    cluster_uuid: ClusterId,
    links: [Link; 2],
    csr: String,
    pem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_cert_type: Option<String>,
}

/// Signs a certificate request.
#[utoipa::path(post, path = "/v1/certificates", tag = "certificates", request_body = CreateCertificate,
    responses((status = 201, body = CertificateView), (status = 400), (status = 403), (status = 409)))]
pub(crate) async fn sign(
    State(app): State<App>,
    who: Who,
    links: Links,
    query: Query,
    body: Body,
) -> ApiResult<(StatusCode, Json<CertificateView>)> {
    query.only(&[])?;
    let CreateCertificate { cluster_uuid, csr, ca_cert_type } = CreateCertificate::parse(&body.fields(&CERTIFICATE)?)?;
    let request = SignRequest { cluster: cluster_uuid, csr, ca_cert_type };
    let signed = app.service().certificates().sign(&who, request).await?;
    let view = CertificateView {
        cluster_uuid: signed.cluster,
        links: links.pair(&format!("certificates/{}", signed.cluster)),
        csr: signed.csr,
        pem: signed.pem,
        ca_cert_type: signed.ca_cert_type,
    };
    Ok((StatusCode::CREATED, Json(view)))
}
