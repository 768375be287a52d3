//! Two people compare emoji.
//!
//! Owns: the steps of an interactive verification (client-server API, "Short authentication string"), with both sides driven here.

use anyhow::{Context, Result, ensure};
use matrix_sdk::encryption::verification::{
    SasState, SasVerification, Verification, VerificationRequestState,
};

use crate::person::Person;

/// Until each has verified the other's identity.
pub async fn verify(one: &Person, other: &Person) -> Result<()> {
    let identity = one.client.encryption().request_user_identity(&other.id()).await?;
    identity.context("the other has cross-signing keys")?;
    // By messages to devices: what goes through the room is sent by this library only when its encryption sync returns, half a minute later.
    let devices = one.client.encryption().get_user_devices(&other.id()).await?;
    let device = devices.devices().next().context("the other has a device")?;
    let asked = device.request_verification().await.context("asking for a verification")?;
    let flow = asked.flow_id().to_owned();
    let request = other
        .until("the request has come", async || {
            Ok(other.client.encryption().get_verification_request(&one.id(), &flow).await)
        })
        .await?;
    request.accept().await?;
    one.until("the request is accepted", async || Ok(asked.is_ready().then_some(()))).await?;
    let ours = asked.start_sas().await?.context("both can compare emoji")?;
    let theirs = other
        .until("the comparison has begun", async || match request.state() {
            VerificationRequestState::Transitioned { verification: Verification::SasV1(sas) } => {
                Ok(Some(sas))
            }
            _ => Ok(None),
        })
        .await?;
    theirs.accept().await?;
    one.until("the emoji can be compared", async || {
        Ok((ours.can_be_presented() && theirs.can_be_presented()).then_some(()))
    })
    .await?;
    let symbols = |sas: &SasVerification| sas.emoji().map(|emoji| emoji.map(|emoji| emoji.symbol));
    ensure!(symbols(&ours).is_some() && symbols(&ours) == symbols(&theirs), "both see the same emoji");
    ours.confirm().await?;
    theirs.confirm().await?;
    one.until("both are done", async || {
        let done = |sas: &SasVerification| matches!(sas.state(), SasState::Done { .. });
        Ok((done(&ours) && done(&theirs)).then_some(()))
    })
    .await?;
    is_verified(one, other).await?;
    is_verified(other, one).await
}

async fn is_verified(one: &Person, other: &Person) -> Result<()> {
    one.until("the other's identity is verified", async || {
        let identity = one.client.encryption().get_user_identity(&other.id()).await?;
        Ok(identity.is_some_and(|identity| identity.is_verified()).then_some(()))
    })
    .await
}
