//! Containers in the Azurite emulator, for tests and local trials: the service itself never creates one.

use object_store::ClientOptions;
use object_store::azure::AzureAuthorizer;
use object_store::client::{HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};

use crate::address::EMULATOR_ACCOUNT;
use crate::open::emulator_credentials;
use crate::{Error, Location, StoreKind};

/// Creates the container of a location in the emulator; one that exists is fine.
///
/// # Errors
/// If the location is not in an emulator, or that does not answer.
pub async fn create_container(location: &Location) -> Result<(), Error> {
    let answer = |reason: String| Error::Answer { place: location.display.clone(), reason };
    let url = location.root.strip_prefix("azure:").filter(|_| location.kind == StoreKind::Azure);
    let Some(url) = url.filter(|_| location.account == EMULATOR_ACCOUNT) else {
        return Err(answer("it is not in an emulator".to_owned()));
    };
    let credential = emulator_credentials(url)?.get_credential().await.map_err(|e| Error::from_store(location, &e))?;
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = "PUT".parse().expect("a method");
    *request.uri_mut() = format!("{url}?restype=container").parse().map_err(|_| answer("its URL is odd".to_owned()))?;
    request.headers_mut().insert("content-length", "0".parse().expect("a header"));
    AzureAuthorizer::new(&credential, EMULATOR_ACCOUNT)
        .try_authorize(&mut request)
        .map_err(|e| Error::from_store(location, &e))?;
    let client = ReqwestConnector::default()
        .connect(&ClientOptions::new().with_allow_http(true))
        .map_err(|e| Error::from_store(location, &e))?;
    let response = client.execute(request).await.map_err(|e| answer(e.to_string()))?;
    match response.status().as_u16() {
        201 | 409 => Ok(()),
        status => Err(answer(format!("status {status}"))),
    }
}
