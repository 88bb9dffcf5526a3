//! Reads `sdk-core/src/resources` and the client's ways to them: methods with regular shapes. What has another shape is an
//! error, unless it is named here as written by hand in each binding.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use syn::{FnArg, ImplItem, ImplItemFn, Item, Pat};

use super::{
    by_hand, docs,
    form::{Accessor, Direction, Gives, Method, Model, Param, ParamKind, Resource, Type},
    read_models::is_public,
    types::{self, Known},
};

/// Streams that have a name of their own, and what they are of.
const STREAMS: [(&str, &str); 1] = [("JobEvents", "JobEvent")];

pub(crate) fn read(folder: &Path, models: &[Model], known: &Known) -> Result<Vec<Resource>> {
    let mut resources = Vec::new();
    let mut found = Vec::new();
    for (file, items) in super::read_files(folder)? {
        for item in &items {
            let Item::Struct(of) = item else { continue };
            if !is_public(&of.vis) {
                continue;
            }
            let name = of.ident.to_string();
            let mut resource = Resource {
                doc: docs::read(&of.attrs).text,
                file: file.clone(),
                methods: Vec::new(),
                by_hand: Vec::new(),
                name,
            };
            for method in public_methods(&items, &resource.name) {
                let named = format!("{}.{}", resource.name, method.sig.ident);
                if by_hand::ALL.iter().any(|of| of.method == named) {
                    resource.by_hand.push(method.sig.ident.to_string());
                    found.push(named);
                    continue;
                }
                let method = read_method(method, models, known).with_context(|| {
                    format!("{named} cannot be expressed: give it a regular shape, or write it by hand in each binding")
                })?;
                resource.methods.push(method);
            }
            share_filters(&mut resource);
            resources.push(resource);
        }
    }
    if let Some(gone) = by_hand::ALL.iter().find(|of| !found.iter().any(|f| f == of.method)) {
        bail!("{} is named as written by hand, and there is no such method", gone.method);
    }
    Ok(resources)
}

fn public_methods<'a>(items: &'a [Item], of: &str) -> impl Iterator<Item = &'a ImplItemFn> {
    let of = of.to_owned();
    let impls = items.iter().filter_map(move |item| match item {
        Item::Impl(item) if item.trait_.is_none() => {
            let (name, _) = types::named(&item.self_ty)?;
            (name == of).then_some(item)
        }
        _ => None,
    });
    impls.flat_map(|item| &item.items).filter_map(|item| match item {
        ImplItem::Fn(method) if is_public(&method.vis) => Some(method),
        _ => None,
    })
}

fn read_method(method: &ImplItemFn, models: &[Model], known: &Known) -> Result<Method> {
    let doc = docs::read(&method.attrs);
    let mut params = Vec::new();
    for input in method.sig.inputs.iter().skip(1) {
        let FnArg::Typed(input) = input else { bail!("two selves") };
        let Pat::Ident(name) = &*input.pat else { bail!("an argument without a name") };
        let name = name.ident.to_string();
        let is_list = types::named(&input.ty).is_some_and(|(ty, _)| ty == "ListParams");
        let kind = if is_list {
            ParamKind::List { filters: filters(&doc.text) }
        } else {
            match types::read(&input.ty, known).with_context(|| name.clone())? {
                Type::Model(model) => {
                    let model = models
                        .iter()
                        .find(|m| m.name == model && m.direction == Direction::Input)
                        .with_context(|| format!("{model} is no input"))?;
                    // What a method is about is spread; settings beside it stay together.
                    let is_about = model.name.starts_with("New") || model.name.ends_with("Update");
                    match is_about {
                        true => ParamKind::Spread(model.name.clone()),
                        false => ParamKind::One(Type::Model(model.name.clone())),
                    }
                }
                ty => ParamKind::One(ty),
            }
        };
        params.push(Param { name, kind });
    }
    let gives = gives(method, known)?;
    Ok(Method {
        name: method.sig.ident.to_string(),
        doc: doc.text,
        errors: doc.errors,
        params,
        gives,
    })
}

fn gives(method: &ImplItemFn, known: &Known) -> Result<Gives> {
    let output = types::returned(&method.sig.output).context("it gives nothing")?;
    let (name, arguments) = types::named(output).context("what it gives has no name")?;
    if let Some((_, model)) = STREAMS.iter().find(|(stream, _)| *stream == name) {
        return Ok(Gives::Stream((*model).to_owned()));
    }
    let of = || -> Result<String> {
        match types::read(arguments.first().context("a list of nothing")?, known)? {
            Type::Model(model) => Ok(model),
            _ => bail!("a list of what is no model"),
        }
    };
    Ok(match name.as_str() {
        "Page" => Gives::Page(of()?),
        "Pages" => Gives::Pages(of()?),
        "Items" => Gives::Items(of()?),
        _ => Gives::One(types::read(output, known)?),
    })
}

/// The names behind `Filters:` or `Filter:` in a doc comment.
fn filters(doc: &str) -> Vec<String> {
    let Some((_, behind)) = doc.split_once("Filters: ").or_else(|| doc.split_once("Filter: "))
    else {
        return Vec::new();
    };
    let sentence = behind.split('.').next().unwrap_or_default();
    sentence.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Filters are told once, of the method that gives one page; the same list in other forms has them too.
fn share_filters(resource: &mut Resource) {
    let lists: Vec<(String, Vec<String>)> = resource
        .methods
        .iter()
        .filter_map(|method| match (&method.gives, method.params.last().map(|p| &p.kind)) {
            (Gives::Page(of), Some(ParamKind::List { filters })) => {
                Some((of.clone(), filters.clone()))
            }
            _ => None,
        })
        .collect();
    for method in &mut resource.methods {
        let (Gives::Pages(of) | Gives::Items(of)) = &method.gives else { continue };
        for param in &mut method.params {
            if let ParamKind::List { filters } = &mut param.kind
                && let Some((_, known)) = lists.iter().find(|(model, _)| model == of)
            {
                filters.clone_from(known);
            }
        }
    }
}

/// The client's methods that give a resource.
pub(crate) fn accessors(client: &Path, resources: &[Resource]) -> Result<Vec<Accessor>> {
    let items = syn::parse_file(&std::fs::read_to_string(client)?)?.items;
    let all = public_methods(&items, "Client").filter_map(|method| {
        let (resource, _) = types::named(types::returned(&method.sig.output)?)?;
        resources.iter().any(|known| known.name == resource).then(|| Accessor {
            name: method.sig.ident.to_string(),
            doc: docs::read(&method.attrs).text,
            resource,
        })
    });
    let all: Vec<_> = all.collect();
    if let Some(lost) = resources.iter().find(|r| !all.iter().any(|a| a.resource == r.name)) {
        bail!("no method of the client gives {}", lost.name);
    }
    Ok(all)
}
