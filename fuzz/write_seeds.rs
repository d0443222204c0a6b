//! `write-seeds FOLDER TARGET...`: writes each target's seeds to `FOLDER/TARGET/seed-N`.

#[expect(dead_code, reason = "the tests of cameras use the rest of it")]
#[path = "../tests/testkit/src/dialects.rs"]
mod dialects;
mod seeds;

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or_else(|| io::Error::other("write-seeds FOLDER TARGET..."))?;
    for target in arguments {
        let folder = Path::new(&folder).join(&target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds::seeds(&target).iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
