//! What lies in the places of the datasets: names, sizes, footers, whole files. Nothing is written.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;
use store::Location;
use types::Micros;

use crate::names::{self, DataName};
use crate::place::Place;
use crate::record::RECORD_BYTES_MAX;
use crate::{Dataset, Error, Sinks};

/// A file of a dataset, or whatever else lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Below the dataset's place.
    pub name: String,
    pub bytes: u64,
}

/// What a file tells of itself behind its rows. None where it does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footer {
    pub pipeline: Option<String>,
    pub rows: u64,
    /// The largest `window_end` of its rows.
    pub window_end: Option<Micros>,
}

/// Nearly every footer is in so much of a file's end.
const END_BYTES: u64 = 64 << 10;
const FOOTERS_AT_ONCE: usize = 8;
/// Whole files are held, up to 256 MiB each.
const FILES_AT_ONCE: usize = 4;

impl Object {
    /// None if the name is not one that commits give their files.
    #[must_use]
    pub fn data_name(&self) -> Option<DataName> {
        names::parse_data_file(&self.name)
    }
}

impl Sinks {
    /// Everything in a dataset's place, in order of names.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn objects(&self, dataset: Dataset) -> Result<Vec<Object>, Error> {
        let place = self.shared.dataset(dataset).clone();
        self.shared.block(async move { Ok(objects(&place).await?) })
    }

    /// A whole file; none if it is gone.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn read_object(&self, dataset: Dataset, object: &Object) -> Result<Option<Bytes>, Error> {
        let (place, name) = (self.shared.dataset(dataset).clone(), object.name.clone());
        self.shared.block(async move { Ok(place.read(&name, RECORD_BYTES_MAX).await?) })
    }

    /// The footers of files, in their order; of one that is gone or has none, none.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn footers(&self, dataset: Dataset, objects: Vec<Object>) -> Result<Vec<Option<Footer>>, Error> {
        let place = self.shared.dataset(dataset).clone();
        self.shared.block(async move {
            let place = Arc::new(place);
            let asked = objects.into_iter().map(|object| {
                let place = Arc::clone(&place);
                async move { footer(&place, &object).await }
            });
            Ok(stream::iter(asked).buffered(FOOTERS_AT_ONCE).try_collect().await?)
        })
    }
}

/// A folder of a dataset's files, read without the pipeline that writes them.
#[derive(Debug, Clone)]
pub struct Folder {
    place: Place,
}

impl Folder {
    #[must_use]
    pub fn new(location: Location) -> Folder {
        Folder { place: Place::new(location) }
    }

    /// Everything in it, in order of names.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn objects(&self) -> Result<Vec<Object>, Error> {
        Ok(objects(&self.place).await?)
    }

    /// Shows whole files in their order, a few of them read ahead; one that is gone is left out.
    ///
    /// # Errors
    /// If the store does not answer, or what `take` returns.
    pub async fn read_each<E: From<Error>>(
        &self,
        objects: Vec<Object>,
        mut take: impl FnMut(Object, Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let asked = objects.into_iter().map(|object| async move {
            let bytes = self.place.read(&object.name, RECORD_BYTES_MAX).await.map_err(Error::from)?;
            Ok::<_, Error>((object, bytes))
        });
        let mut read = stream::iter(asked).buffered(FILES_AT_ONCE);
        while let Some((object, bytes)) = read.try_next().await? {
            if let Some(bytes) = bytes {
                take(object, bytes)?;
            }
        }
        Ok(())
    }
}

async fn objects(place: &Place) -> Result<Vec<Object>, store::Error> {
    let listed = place.list("", None).await?;
    let object =
        |meta: &object_store::ObjectMeta| Some(Object { name: place.name_of(&meta.location)?, bytes: meta.size });
    let mut objects: Vec<Object> = listed.iter().filter_map(object).collect();
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(objects)
}

async fn footer(place: &Place, object: &Object) -> Result<Option<Footer>, store::Error> {
    let mut wanted = END_BYTES;
    loop {
        let from = object.bytes.saturating_sub(wanted);
        let Some(end) = place.read_range(&object.name, from..object.bytes).await? else { return Ok(None) };
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&end, object.bytes) {
            Ok(()) => return Ok(reader.finish().ok().map(|metadata| Footer::of(&metadata))),
            Err(ParquetError::NeedMoreData(more)) if from > 0 => wanted = wanted.max(more as u64).saturating_mul(2),
            Err(_) => return Ok(None),
        }
    }
}

impl Footer {
    #[must_use]
    pub fn of(metadata: &ParquetMetaData) -> Footer {
        let file = metadata.file_metadata();
        let keys = file.key_value_metadata().into_iter().flatten();
        let pipeline = keys.filter(|pair| pair.key == "atalaia.pipeline").find_map(|pair| pair.value.clone());
        let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
        let ends = columns.filter(|column| column.column_path().string() == "window_end");
        let largest = ends.filter_map(|column| match column.statistics() {
            Some(Statistics::Int64(statistics)) => statistics.max_opt().copied(),
            _ => None,
        });
        let rows = u64::try_from(file.num_rows()).unwrap_or_default();
        Footer { pipeline, rows, window_end: largest.max() }
    }
}
