use http::{HeaderMap, request};
use obs_core::admit::{Admission, Admit, PendingAdmission, Permit};

use super::{Decision, Denied, Limiter, Passed};

impl Admit for Limiter {
    fn admit(&self, request: &request::Parts) -> Admission {
        let tell = self.tell();
        match self.decide(request, tell) {
            Decision::Passed(passed) => self.admission(Ok(passed)),
            Decision::Denied(denied) => self.admission(Err(denied)),
            Decision::Pending(asked) => {
                let this = self.clone();
                Admission::Pending(PendingAdmission::new(async move {
                    let decision = this.clone().resolve(asked, tell, false).await;
                    this.admission(decision)
                }))
            }
        }
    }
}

impl Limiter {
    fn admission(&self, decision: Result<Passed, Denied>) -> Admission {
        let passed = match decision {
            Ok(passed) => passed,
            Err(denied) => return Admission::Refused(Box::new(self.refusal(&denied))),
        };
        let mut permit = Permit::new();
        if passed.tells() {
            let mut headers = HeaderMap::new();
            self.passed_headers(&mut headers, &passed, None);
            if !headers.is_empty() {
                permit = permit.with_headers(headers);
            }
        }
        if let Some(reservation) = passed.reservation {
            permit = permit.settled_by(*reservation);
        }
        Admission::Admitted(permit)
    }
}
